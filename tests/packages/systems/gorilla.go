// Gorilla's WebSocket, both ends: `gorilla serve` sends everything back, `gorilla talk URL`
// is a client.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

const text = "hé€😀"
const reason = "réason"

var binary = func() []byte {
	bytes := make([]byte, 100*1024)
	for at := range bytes {
		bytes[at] = byte(at * 31 >> 3)
	}
	return bytes
}()

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{EnableCompression: true}
	conn, err := upgrader.Upgrade(w, r, nil)
	must(err)
	defer conn.Close()
	conn.SetPongHandler(func(string) error {
		return conn.WriteMessage(websocket.TextMessage, []byte("pong"))
	})
	for {
		kind, message, err := conn.ReadMessage()
		if end, ok := err.(*websocket.CloseError); ok {
			fmt.Printf("closed %d %s\n", end.Code, end.Text)
			return
		}
		if err != nil {
			return
		}
		switch string(message) {
		case "close":
			end := websocket.FormatCloseMessage(4001, reason)
			must(conn.WriteControl(websocket.CloseMessage, end, time.Now().Add(time.Minute)))
		case "ping":
			must(conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Minute)))
		default:
			must(conn.WriteMessage(kind, message))
		}
	}
}

func talk(url string) {
	dialer := websocket.Dialer{EnableCompression: true}
	conn, _, err := dialer.Dial(url, nil)
	must(err)
	pongs := 0
	conn.SetPongHandler(func(string) error {
		pongs++
		return nil
	})
	must(conn.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Minute)))
	for kind, message := range map[int][]byte{1: []byte(text), 2: binary} {
		must(conn.WriteMessage(kind, message))
		gotKind, got, err := conn.ReadMessage()
		must(err)
		if gotKind != kind || !bytes.Equal(got, message) {
			panic("another message came back")
		}
	}
	if pongs != 1 {
		panic("no pong")
	}
	end := websocket.FormatCloseMessage(4002, reason)
	must(conn.WriteControl(websocket.CloseMessage, end, time.Now().Add(time.Minute)))
	_, _, err = conn.ReadMessage()
	if !websocket.IsCloseError(err, 4002) {
		panic(err)
	}

	conn, _, err = dialer.Dial(url, nil)
	must(err)
	must(conn.WriteMessage(websocket.TextMessage, []byte("close")))
	_, _, err = conn.ReadMessage()
	if end, ok := err.(*websocket.CloseError); !ok || end.Code != 4001 || end.Text != reason {
		panic(err)
	}
	fmt.Println("ok")
}

func main() {
	if os.Args[1] == "talk" {
		talk(os.Args[2])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Printf("listening %d\n", listener.Addr().(*net.TCPAddr).Port)
	must(http.Serve(listener, http.HandlerFunc(echo)))
}
