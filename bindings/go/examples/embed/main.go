// Embed tells how near some sentences are to the first one in meaning.
//
//	go run ./examples/embed embeddinggemma-300m-q8_0.gguf "A man plays the guitar." "Somebody makes music."
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"example.org/quern"
)

func main() {
	if len(os.Args) < 4 {
		log.Fatalf("usage: %s MODEL.gguf SENTENCE SENTENCE...", os.Args[0])
	}
	model, err := quern.Open(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	embedder, err := quern.NewEmbedder(model, nil)
	if err == nil && embedder.Pooling() == quern.PoolingNone {
		// A language model's file says nothing of pooling: the mean of its tokens' vectors serves.
		embedder, err = quern.NewEmbedder(model, &quern.EmbedderOptions{Pooling: quern.PoolingMean})
	}
	if err != nil {
		log.Fatal(err)
	}
	sentences := os.Args[2:]
	vectors, err := embedder.Embed(context.Background(), sentences...)
	if err != nil {
		log.Fatal(err)
	}
	for i, sentence := range sentences {
		fmt.Printf("%.4f %s\n", quern.CosineSimilarity(vectors[0][0], vectors[i][0]), sentence)
	}
}
