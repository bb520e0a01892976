// Runs a kernel of the WebAssembly module in node's V8, for bench_wasm.
//
//     node wasm_v8.mjs MODULE CASE
//
// CASE, little-endian: u32 each of the call's address, of the memory's address, its bytes, the bytes
// of a task and the count of tasks; the memory; the tasks (struct host_kernel), all of one run.
// Prints the nanoseconds of a run without those of its calls, and writes the memory back.
import fs from 'node:fs'

const ROUNDS = 15
const SAMPLE_NS = 2000000
const WARM_NS = 200000000 // V8 compiles a function anew once it is hot
const BEGIN = 36, END = 40 // in struct host_kernel
const HEADER = 20

const [modulePath, casePath] = process.argv.slice(2)
const bytes = fs.readFileSync(casePath)
const word = (i) => bytes.readUInt32LE(4 * i)
const [callAt, memoryAt, memoryBytes, taskBytes, taskCount] = [0, 1, 2, 3, 4].map(word)

const instance = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(modulePath)))
const { memory, simdd_kern: kern } = instance.exports
const operands = new Uint8Array(memory.buffer, memoryAt, memoryBytes)
const call = new Uint8Array(memory.buffer, callAt, taskBytes)
operands.set(bytes.subarray(HEADER, HEADER + memoryBytes))

const tasks = []
const empty = []
for (let i = 0; i < taskCount; i++) {
  const at = HEADER + memoryBytes + i * taskBytes
  tasks.push(bytes.subarray(at, at + taskBytes))
  const nothing = Buffer.from(tasks[i])
  nothing.writeUInt32LE(nothing.readUInt32LE(END), BEGIN)
  empty.push(nothing)
}

function run(list, times) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < times; i++) {
    for (const task of list) {
      call.set(task)
      kern(callAt)
    }
  }
  return Number(process.hrtime.bigint() - start)
}

function nsPerRun(list) {
  for (let times = 1; ;) {
    const ns = run(list, times)
    if (ns >= SAMPLE_NS) return ns / times
    times *= ns < SAMPLE_NS / 16 ? 8 : 2
  }
}

function median(list) {
  const samples = Array.from({ length: ROUNDS }, () => nsPerRun(list)).sort((a, b) => a - b)
  return samples[ROUNDS >> 1]
}

for (let ns = 0; ns < WARM_NS;) ns += run(tasks, 1)
console.log(median(tasks) - median(empty))
fs.writeFileSync(casePath, operands)
