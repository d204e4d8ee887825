// A vnet client made from the proto alone, in Go.
//
//	client ADDRESS NAME [CA CERTIFICATE KEY]
//
// ADDRESS is unix:/path/vnet.sock or host:port. Prints one line for each step.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	vnet "vnet/v1"
)

func main() {
	log.SetFlags(0)
	name := os.Args[2]
	connection, err := dial(os.Args[1], os.Args[3:])
	must(err)
	defer connection.Close()
	driver := vnet.NewNetworkDriverClient(connection)
	// One deadline for all; a program would give each call its own.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	opened, err := driver.Open(ctx, &vnet.OpenRequest{})
	must(err)
	fmt.Println("driver", opened.Driver)
	active := true
	list, err := driver.ListAllNetworks(ctx, &vnet.ListAllNetworksRequest{Active: &active})
	must(err)
	for _, row := range list.Networks {
		fmt.Println("active", row.Network.Name, strings.Join(row.Addresses, " "))
	}
	defined, err := driver.NetworkDefineXml(ctx, &vnet.NetworkDefineXmlRequest{
		Xml: "<network><name>" + name + "</name></network>",
	})
	must(err)
	fmt.Println("defined", defined.Network.Name)
	found, err := driver.NetworkLookupByName(ctx, &vnet.NetworkLookupByNameRequest{Name: name})
	must(err)
	network := found.Network
	fmt.Println("found", network.Uuid == defined.Network.Uuid)

	events, err := driver.WatchNetworkEvents(ctx, &vnet.WatchNetworkEventsRequest{Network: network})
	must(err)
	printEvent(events)
	_, err = driver.NetworkCreate(ctx, &vnet.NetworkCreateRequest{Network: network})
	must(err)
	printEvent(events)
	dump, err := driver.NetworkDumpXml(ctx, &vnet.NetworkDumpXmlRequest{Network: network})
	must(err)
	fmt.Println("dumped", strings.Contains(dump.Xml, "<name>"+name+"</name>"))
	_, err = driver.NetworkCreate(ctx, &vnet.NetworkCreateRequest{Network: network})
	printError(err)
	_, err = driver.NetworkDestroy(ctx, &vnet.NetworkDestroyRequest{Network: network})
	must(err)
	_, err = driver.NetworkUndefine(ctx, &vnet.NetworkUndefineRequest{Network: network})
	must(err)
	_, err = driver.NetworkLookupByName(ctx, &vnet.NetworkLookupByNameRequest{Name: name})
	printError(err)
}

func dial(address string, pem []string) (*grpc.ClientConn, error) {
	if len(pem) == 0 {
		return grpc.Dial(address, grpc.WithInsecure(), grpc.WithAuthority("localhost"))
	}
	authority, err := os.ReadFile(pem[0])
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	certificate, err := tls.LoadX509KeyPair(pem[1], pem[2])
	must(err)
	return grpc.Dial(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{certificate},
	})))
}

func printEvent(events vnet.NetworkDriver_WatchNetworkEventsClient) {
	event, err := events.Recv()
	must(err)
	fmt.Println("event", strings.TrimPrefix(event.Kind.String(), "EVENT_KIND_"))
}

// The rich error: google.rpc.ErrorInfo among the details of the status.
func printError(err error) {
	failed := status.Convert(err)
	for _, detail := range failed.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Println("refused", uint32(failed.Code()), info.Reason, info.Metadata["code"], failed.Message())
		}
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
