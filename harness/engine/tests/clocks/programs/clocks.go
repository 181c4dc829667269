// For every line read: the time, on this goroutine and on one that was there from the start.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

func main() {
	asked, answered := make(chan bool), make(chan int64)
	go func() {
		runtime.LockOSThread()
		for range asked {
			answered <- time.Now().UnixNano()
		}
	}()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		asked <- true
		thread := <-answered
		var tv syscall.Timeval
		syscall.Gettimeofday(&tv)
		now := time.Now().UnixNano()
		fmt.Printf("go=%d.%09d thread=%d.%09d\n", now/1e9, now%1e9, thread/1e9, thread%1e9)
	}
}
