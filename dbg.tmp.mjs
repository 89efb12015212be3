import { startJobServer } from "./dist/runners/portable/job-servers/start-job-server.js";
import { portableRunner } from "./dist/runners/portable/portable-runner.js";
import { P, impulse, withName } from "./dist/transforms/primitives/beam.js";
import { registeredParDo } from "./dist/transforms/primitives/par-do.js";
import { splittableParDo } from "./dist/transforms/primitives/splittable-par-do.js";
import { COLLECT, COUNTING } from "./dist/test/portable/torture-fns.js";
import { serveWorkerPool } from "./dist/runners/harness/worker/worker-pool.js";
import { runWorker } from "./dist/runners/harness/worker/run-worker.js";
import { startHarness } from "./dist/runners/harness/harness.js";
import { Instructions } from "./dist/runners/harness/instructions.js";
import { GrpcDataPlane } from "./dist/runners/harness/transport/data-plane.js";
import { readFileSync, rmSync } from "node:fs";
import { execSync } from "node:child_process";
let K=0; let trace=[]; const t0=Date.now(); const tr=(x)=>trace.push(`${Date.now()-t0} ${x}`);
const oa=Instructions.prototype.answer; Instructions.prototype.answer=async function(q){ tr(`> ${q.instructionId} ${q.request.oneofKind} ${q.request.processBundle?.processBundleDescriptorId??""} emb=${q.request.processBundle?.elements?.data?.length}`); const a=await oa.call(this,q); tr(`< ${q.instructionId} ${a.error?.slice(0,200)} res=${a.response?.processBundle?.residualRoots?.length}`); return a;};
const or=GrpcDataPlane.prototype.receive; GrpcDataPlane.prototype.receive=function(e,i){ tr(`receive ${i}`); const inb=or.call(this,e,i); return {next:async()=>{const c=await inb.next(); tr(`chunk ${i} ${c.transformId} ${c.timerFamilyId} ${c.data.length} ${c.isLast}`); return c;},release:()=>inb.release()};};
let lines=[];
const log={debug(t){lines.push(`${Date.now()-t0} ${t}`)},info(){},warn(t){tr("W "+t)},error(t){tr("E "+t)}};
const s=await startJobServer("flink",{port:0,log});
const pool=await serveWorkerPool({host:"127.0.0.1",port:0,workersMax:9,fullMessage:"",log,start:(workerId,ep,l,onRefused)=>{const c=new AbortController();const p=runWorker({workerId,...ep,root:process.cwd(),modules:[],takesStagedModules:false,log,signal:c.signal,startHarness,onRefused}).then(()=>({exitCode:0}),e=>({exitCode:1,problem:e.message}));return {job:undefined,whenEnded:p,stop:()=>{c.abort();return p}}}});
const n=()=>{try{return readFileSync("/tmp/dbg.out"+K,"utf8").split("\n").length}catch(e){return 0}};
const go=(o={})=>portableRunner({jobEndpoint:s.endpoint,environment:"external",workerEndpoint:pool.endpoint,pipelineOptions:{streaming:true,checkpointing_interval:500,max_bundle_time_mills:100,parallelism:1,...o},log}).runAsync((root)=>P(root.apply(withName("Impulse",impulse()))).apply(withName("Count",splittableParDo(COUNTING,{end:1e9,perCall:10,delayMs:50},{bounded:false}))).apply(withName("Collect",registeredParDo(COLLECT,"/tmp/dbg.out"+K))));
for (let k=0;k<14;k++){ K=k; rmSync("/tmp/dbg.out"+K,{force:true}); trace=[]; lines=[];
const res=await go(); let ok=false; const at=Date.now();
for(let i=0;i<100;i++){await new Promise(r=>setTimeout(r,100)); if(n()>20){ok=true;break;}}
console.log(k,ok,Date.now()-at);
if(!ok||Date.now()-at>6000){ console.log(trace.slice(0,60).join("\n")); console.log(lines.filter(l=>/beam|WARN|ERROR|xception|switched/.test(l)&&!/Checkpoint|capab/.test(l)).slice(-40).map(l=>l.slice(0,300)).join("\n"));
console.log(execSync(`jstack ${s.pid} | grep -E -A30 'Count' `).toString().slice(0,9000)); if(!ok)break;}
await res.cancel(); }
await s.stop(); process.exit();
