import { connect, type Socket } from 'node:net'
import { quantile } from './quantile.ts'

/*
 * Asks a leaf over kept connections, in a process of its own: `scuba-board-load.ts OPTIONS-AS-JSON`, its parent is sent the result. With a
 * rate, requests begin when they are due and their time counts from then on, so that a server that is late is not spared.
 */

export interface LoadOptions {
  socket: string
  path: string
  /** of the requests, one after the other */
  bodies: string[]
  connections: number
  /** null: on each connection the next as soon as the last is answered */
  perSecond: number | null
  /** so many at most */
  requests?: number
  seconds: number
}

export interface LoadResult {
  requests: number
  errors: number
  seconds: number
  p50Ms: number
  p99Ms: number
  maxMs: number
  cpuSeconds: number
}

const asked = process.argv[2]
if (asked !== undefined && process.send) process.send(await measure(JSON.parse(asked) as LoadOptions), () => process.exit(0))

async function measure({
  socket: path,
  path: url,
  bodies,
  connections,
  perSecond,
  requests: most = Infinity,
  seconds,
}: LoadOptions): Promise<LoadResult> {
  const requests = bodies.map((body) =>
    Buffer.from(
      `POST ${url} HTTP/1.1\r\nhost: leaf\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  )
  const times: number[] = []
  let errors = 0
  let next = 0
  const startedAt = performance.now()
  const endAt = startedAt + seconds * 1000
  const dueAt = (number: number): number => (perSecond === null ? performance.now() : startedAt + (number * 1000) / perSecond)

  const lane = async (): Promise<void> => {
    const socket = await open(path)
    for (;;) {
      const number = next
      next += 1
      const due = dueAt(number)
      if (due >= endAt || number >= most) break
      const early = due - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
      if (!(await exchange(socket, requests[number % requests.length] ?? Buffer.alloc(0)))) errors += 1
      times.push(performance.now() - due)
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: connections }, lane))
  const { user, system } = process.cpuUsage()
  return {
    requests: times.length,
    errors,
    seconds: (performance.now() - startedAt) / 1000,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    maxMs: times.reduce((most, ms) => Math.max(most, ms), 0),
    cpuSeconds: (user + system) / 1e6,
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** One request and its whole answer; gives whether it was a good one. Answers have a length. */
function exchange(socket: Socket, request: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let wanted = 0
    let got = 0
    let isGood = false
    const onData = (chunk: Buffer): void => {
      if (wanted === 0) {
        const head = chunk.toString('latin1', 0, 1024)
        const length = /content-length: (\d+)/i.exec(head)?.[1]
        wanted = head.indexOf('\r\n\r\n') + 4 + Number(length ?? 0)
        isGood = head.startsWith('HTTP/1.1 200')
      }
      got += chunk.length
      if (got < wanted) return
      done()
      resolve(isGood)
    }
    const onClose = (): void => (done(), reject(new Error('the leaf closed the connection')))
    const done = (): void => void socket.off('data', onData).off('close', onClose)
    socket.on('data', onData).once('close', onClose)
    socket.write(request)
  })
}
