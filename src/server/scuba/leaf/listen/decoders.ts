import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { errorFromBody, refuse } from '../../../../core/kernel/errors.ts'
import type { Logger } from '../../../../platform/logger.ts'
import { entryPoint } from '../../../../platform/spawn.ts'
import type { DecodeAnswer, DecodedBody, DecodeJob } from './decode-main.ts'

/** Bodies that wait for a thread or are in one; what comes then is asked to come again. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024
const WAITING_MAX = 1000
const THREADS_MAX = Math.max(1, Math.min(4, availableParallelism() - 1))
/** Of one thread, MiB: a body that needs more costs its thread and nothing else. */
const MEMORY_MB_MAX = 1024
const IDLE_MS = 60_000

interface Task {
  job: DecodeJob
  bytes: number
  resolve: (done: DecodedBody) => void
  reject: (error: unknown) => void
}

interface Thread {
  worker: Worker
  task: Task | null
}

/** Threads that decode bodies, started when they are needed. */
export class Decoders {
  readonly #log: Logger
  readonly #threads = new Set<Thread>()
  readonly #queue: Task[] = []
  #bytes = 0
  #lastMs = 0
  #isClosed = false
  readonly #sweeper: NodeJS.Timeout

  constructor(log: Logger) {
    this.#log = log
    this.#sweeper = setInterval(() => this.#sweep(), IDLE_MS).unref()
  }

  /** The job's body is handed over: the caller may not look at it again. @throws what the decoder refuses; SCUBA_DOWN when too much waits */
  decode(job: DecodeJob): Promise<DecodedBody> {
    const bytes = job.body.byteLength
    if (this.#isClosed || this.#bytes + bytes > WAITING_BYTES_MAX || this.#queue.length >= WAITING_MAX)
      return Promise.reject(refuse('SCUBA_DOWN', 'too many bodies are waiting to be decoded', { details: { retryAfterMs: 1000 } }))
    this.#bytes += bytes
    return new Promise<DecodedBody>((resolve, reject) => {
      this.#queue.push({ job, bytes, resolve, reject })
      this.#next()
    }).finally(() => (this.#bytes -= bytes))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sweeper)
    for (const task of this.#queue.splice(0)) task.reject(refuse('SCUBA_DOWN', 'the leaf stops'))
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()))
  }

  #next(): void {
    this.#lastMs = performance.now()
    while (this.#queue.length > 0) {
      let thread = [...this.#threads].find(({ task }) => task === null)
      if (thread === undefined) {
        if (this.#threads.size >= THREADS_MAX) return
        thread = this.#start()
      }
      const task = this.#queue.shift() as Task
      thread.task = task
      thread.worker.ref()
      thread.worker.postMessage({ id: 0, job: task.job }, [task.job.body.buffer as ArrayBuffer])
    }
  }

  #start(): Thread {
    const [, file] = entryPoint('server/scuba/leaf/listen/decode-main')
    const worker = new Worker(file, { resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB_MAX } })
    const thread: Thread = { worker, task: null }
    this.#threads.add(thread)
    worker.on('message', (answer: DecodeAnswer) => {
      const { task } = thread
      thread.task = null
      worker.unref()
      if ('done' in answer) task?.resolve(answer.done)
      else task?.reject(errorFromBody(answer.error))
      this.#next()
    })
    const end = (error: unknown): void => {
      if (!this.#threads.delete(thread)) return
      const isMemory = (error as NodeJS.ErrnoException | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
      if (thread.task !== null) {
        this.#log.warn('a decoding thread ended', { kind: thread.task.job.kind, bytes: thread.task.bytes, error: String(error) })
        thread.task.reject(
          isMemory
            ? refuse('SCUBA_TOO_LARGE', 'the body needs more memory to be decoded than there is for one', { hint: 'Send smaller batches.' })
            : refuse('INTERNAL', `the body could not be decoded: ${String(error)}`, { cause: error }),
        )
      }
      if (!this.#isClosed) this.#next()
    }
    worker.on('error', end)
    worker.on('exit', () => end(new Error('the thread ended')))
    return thread
  }

  /** Threads cost memory: without anything to do for a while they go. */
  #sweep(): void {
    if (performance.now() - this.#lastMs < IDLE_MS) return
    for (const thread of this.#threads) if (thread.task === null) void thread.worker.terminate()
  }
}
