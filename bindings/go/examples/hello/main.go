// Hello is the smallest program: it asks a model one question and prints the answer.
//
//	go run ./examples/hello model.gguf "What is the capital of France?"
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"example.org/quern"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatalf("usage: %s MODEL.gguf QUESTION", os.Args[0])
	}
	model, err := quern.Open(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	chat, err := quern.NewChat(model, nil, "")
	if err != nil {
		log.Fatal(err)
	}
	defer chat.Close()
	answer, err := chat.Send(context.Background(), os.Args[2], &quern.GenerateOptions{Sampler: quern.Greedy()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Text)
}
