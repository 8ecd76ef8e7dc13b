// Lists what may be sold now. It needs get and list on Offerings, and nothing else:
//
//	go run . -n shop
//
// The rule: sell only if status.stock is InStock or LowStock, and now is before status.validUntil.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

var offerings = schema.GroupVersionResource{Group: "proxmox-offerings.io", Version: "v1alpha1", Resource: "offerings"}

// sellable tells how many units of an Offering may be sold at the moment now: 0 if none may, for whatever reason.
// What is missing or not understood is never a reason to sell.
func sellable(offering *unstructured.Unstructured, now time.Time) int64 {
	status, _, err := unstructured.NestedMap(offering.Object, "status")
	if err != nil || (status["stock"] != "InStock" && status["stock"] != "LowStock") {
		return 0
	}
	written, _ := status["validUntil"].(string)
	validUntil, err := time.Parse(time.RFC3339, written)
	if err != nil || !now.Before(validUntil) {
		return 0
	}
	available, _ := status["available"].(int64)
	return available
}

func run() error {
	namespace := flag.String("n", "default", "namespace")
	flag.Parse()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// The API server leaves out what is not for sale; the clock is ours to look at.
	list, err := client.Resource(offerings).Namespace(*namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "status.stock!=OutOfStock,status.stock!=Unknown",
	})
	if err != nil {
		return err
	}
	now := time.Now()
	for i := range list.Items {
		if units := sellable(&list.Items[i], now); units > 0 {
			fmt.Println(list.Items[i].GetName(), units)
		}
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
