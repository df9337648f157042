// Chat_stream is a conversation on the terminal: answers appear as they are made, and Ctrl-C stops one. Questions are read from
// standard input, one a line.
//
//	go run ./examples/chat_stream model.gguf "You answer briefly."
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"example.org/quern"
)

func answer(chat *quern.Chat, question string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	generation, err := chat.Send(ctx, question, &quern.GenerateOptions{
		Sampler: quern.Greedy(),
		OnText: func(text string) bool {
			_, err := fmt.Print(text)
			return err == nil // false stops
		},
	})
	fmt.Println()
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if generation != nil {
		fmt.Fprintf(os.Stderr, "%d tokens in %v\n", generation.NGenerated, generation.GenerateTime)
	}
	return nil
}

func main() {
	if len(os.Args) < 2 {
		log.Fatalf("usage: %s MODEL.gguf [SYSTEM PROMPT]", os.Args[0])
	}
	model, err := quern.Open(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	system := ""
	if len(os.Args) > 2 {
		system = os.Args[2]
	}
	chat, err := quern.NewChat(model, nil, system)
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := answer(chat, lines.Text()); err != nil {
			log.Fatal(err)
		}
	}
}
