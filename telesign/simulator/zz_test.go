package simulator_test
import ("testing";"runtime";"fmt";"time";"net/http";"net/http/httptest";"io"
"github.com/handout-dev/handout/telesign/simulator")
func TestZZ(t *testing.T){
 s,_:=simulator.New(simulator.Options{CustomerID:customerID,APIKey:apiKey,NoCallbacks:true}); defer s.Close()
 var a,b runtime.MemStats; runtime.GC(); runtime.ReadMemStats(&a)
 for i:=0;i<200000;i++{ s.ServeHTTP(httptest.NewRecorder(), req(fmt.Sprintf("1555%07d",i),i)) }
 runtime.GC(); runtime.ReadMemStats(&b)
 fmt.Println("bytes/msg", (int(b.HeapAlloc)-int(a.HeapAlloc))/200000, s.Stats().Accepted)
 l:=httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,r *http.Request){io.Copy(io.Discard,r.Body)})); defer l.Close()
 c,_:=simulator.New(simulator.Options{CustomerID:customerID,APIKey:apiKey,Speed:1000,CallbackURL:l.URL}); defer c.Close()
 t0:=time.Now()
 for i:=0;i<20000;i++{ c.ServeHTTP(httptest.NewRecorder(), req(fmt.Sprintf("1555%05d%02d",i,i%35),i)) }
 fmt.Println("posted",time.Since(t0)); c.Idle(t.Context()); fmt.Println("idle",time.Since(t0)); fmt.Printf("%+v\n",c.Stats().Callbacks)
}
func req(phone string,i int)*http.Request{ m:=[]byte(`{"channels":[{"channel":"whatsapp","fallback_time":600},{"channel":"sms"}],"external_id":"order-history-2026-11.`+fmt.Sprint(i)+`.1","message":{"default":{"template":"text","parameters":{"text":"hi"}}},"message_type":"MKT","recipient":{"phone_number":"`+phone+`"}}`)
 r:=httptest.NewRequest("POST","/v1/omnichannel",bytesReader(m)); r.Header=basic(); return r}
func bytesReader(b []byte) io.Reader { return &br{b} }
type br struct{b []byte}
func (r *br) Read(p []byte)(int,error){ if len(r.b)==0 {return 0,io.EOF}; n:=copy(p,r.b); r.b=r.b[n:]; return n,nil}
