// Package protocol is how the drivers in Go report; ../../driver_protocol.py describes it.
package protocol

import (
	"bytes"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// What the tests set.
var (
	Endpoint        = os.Getenv("INTEROP_ENDPOINT")
	Region          = os.Getenv("INTEROP_REGION")
	AccessKey       = os.Getenv("INTEROP_ACCESS_KEY")
	SecretKey       = os.Getenv("INTEROP_SECRET_KEY")
	CAFile          = os.Getenv("INTEROP_CA_FILE")
	Bucket          = os.Getenv("INTEROP_BUCKET")
	Bucket2         = Bucket + "-2"
	VersionedBucket = Bucket + "-versions"
	Seeded          = os.Getenv("INTEROP_SEEDED_BUCKET")
	Work            = os.Getenv("INTEROP_WORK")
)

const (
	MiB      = 1 << 20
	PartSize = 8 * MiB
	BigSize  = 100 * MiB
)

// SmallSizes are the sizes of the files that a step puts and gets.
var SmallSizes = map[string][]int{
	"put_get_empty":  {0},
	"put_get_1_byte": {1},
	"put_get_64k":    {65535, 65536, 65537},
	"put_get_8m":     {8*MiB - 1, 8 * MiB, 8*MiB + 1},
}

// Step is one step; Lacks says what the client has no means for, and then Run is nil; Partly, which part it can't do.
type Step struct {
	Name   string
	Run    func()
	Lacks  string
	Partly string
}

type failure struct{ why string }

// Fail ends the step.
func Fail(format string, values ...any) { panic(failure{fmt.Sprintf(format, values...)}) }

// Check ends the step unless `holds`.
func Check(holds bool, format string, values ...any) {
	if !holds {
		Fail(format, values...)
	}
}

// Equal ends the step unless both are.
func Equal(found, expected any, what string) {
	if reflect.DeepEqual(found, expected) {
		return
	}
	one, other := fmt.Sprintf("%q", found), fmt.Sprintf("%q", expected)
	Fail("%s: found %.300s, expected %.300s", what, one, other)
}

// Must ends the step with an error.
func Must(err error) {
	if err != nil {
		Fail("%v", err)
	}
}

// File is the path of the file of `size` bytes.
func File(size int) string {
	return filepath.Join(os.Getenv("INTEROP_FILES"), "size-"+strconv.Itoa(size))
}

// Bytes are that file's.
func Bytes(size int) []byte {
	data, err := os.ReadFile(File(size))
	Must(err)
	return data
}

// Keys reads a list of keys, in S3's order.
func Keys(kind string) []string {
	data, err := os.ReadFile(filepath.Join(os.Getenv("INTEROP_FILES"), kind))
	Must(err)
	keys := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for number, line := range keys {
		keys[number], err = url.PathUnescape(line)
		Must(err)
	}
	return keys
}

// BatchKeys are 60 keys below batch/, odd ones among them.
func BatchKeys() []string {
	keys := []string{}
	for _, key := range Keys("own-odd") {
		keys = append(keys, "batch/"+strings.TrimPrefix(key, "own/odd/"))
	}
	for len(keys) < 60 {
		keys = append(keys, "batch/"+strconv.Itoa(len(keys)))
	}
	return keys
}

// MD5 in hex: the ETag of an object put in one piece.
func MD5(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

// MultipartETag of parts of PartSize.
func MultipartETag(data []byte) string {
	digests, count := []byte{}, 0
	for start := 0; start < len(data); start += PartSize {
		sum := md5.Sum(data[start:min(start+PartSize, len(data))])
		digests, count = append(digests, sum[:]...), count+1
	}
	return MD5(digests) + "-" + strconv.Itoa(count)
}

// Transport trusts the tests' authority.
func Transport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if CAFile != "" {
		pem, err := os.ReadFile(CAFile)
		if err != nil {
			panic(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return transport
}

// Curl asks curl for an address as it stands; the status and the body.
func Curl(address string, options ...string) (int, []byte) {
	arguments := []string{"-sS", "--globoff", "--path-as-is", "--max-time", "60", "--write-out", "\n%{http_code}"}
	if CAFile != "" {
		arguments = append(arguments, "--cacert", CAFile)
	}
	out, err := exec.Command("curl", append(append(arguments, options...), address)...).Output()
	Must(err)
	end := bytes.LastIndexByte(out, '\n')
	status, err := strconv.Atoi(string(out[end+1:]))
	Must(err)
	return status, out[:end]
}

// CheckSignedGet has curl get `data` from a URL that names …/signed/…, and 403 when another key stands there.
func CheckSignedGet(address string, data []byte) {
	status, body := Curl(address)
	Check(status == 200 && bytes.Equal(body, data), "curl got %d: %.500s", status, body)
	status, _ = Curl(strings.Replace(address, "/signed/", "/signee/", 1))
	Equal(status, 403, "status for another key")
}

// Version of a module that this program is built from.
func Version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return ""
}

func say(fields map[string]any) {
	line, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// Main runs all steps and says how each went.
func Main(client, version string, steps []Step) {
	say(map[string]any{"client": client, "version": version})
	for _, step := range steps {
		if step.Lacks != "" {
			say(map[string]any{"step": step.Name, "result": "n/a", "why": step.Lacks})
			continue
		}
		started := time.Now()
		if why := runStep(step); why != "" {
			say(map[string]any{"step": step.Name, "result": "failed", "why": why})
		} else {
			say(map[string]any{"step": step.Name, "result": "passed", "seconds": time.Since(started).Seconds(), "why": step.Partly})
		}
	}
}

func runStep(step Step) (why string) {
	defer func() {
		if caught := recover(); caught != nil {
			if said, ok := caught.(failure); ok {
				why = said.why + "\n" + string(debug.Stack())
			} else {
				why = fmt.Sprintf("%v\n%s", caught, debug.Stack())
			}
		}
	}()
	step.Run()
	return ""
}
