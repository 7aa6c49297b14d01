// Command srfake serves franz-go's schema registry for tests and prints its address.
package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

func main() {
	registry := srfake.New()
	fmt.Println(registry.URL())
	select {}
}
