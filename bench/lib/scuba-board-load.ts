import { connect, type Socket } from 'node:net'
import { quantile } from './quantile.ts'

/*
 * Asks a leaf over kept connections, in a process of its own: its parent sends it the options and is sent the result. With a
 * rate, requests begin when they are due and their time counts from then on, so that a server that is late is not spared.
 */

export interface LoadOptions {
  socket: string
  path: string
  /** of the requests, one after the other */
  bodies: string[]
  /** who ask one after the other; each takes gzip, and says which answer it has already */
  viewers?: number
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
  /** nothing had changed for its viewer */
  unchanged: number
  /** of answers */
  bytes: number
  /** of panels that are not answered, in answers that are not compressed */
  failedPanels: number
  /** what answers say of their age */
  ageP50Ms: number
  ageP99Ms: number
  seconds: number
  p50Ms: number
  p99Ms: number
  maxMs: number
  cpuSeconds: number
}

// Too many bodies for a command line.
if (process.send)
  process.once('message', (asked) => void measure(asked as LoadOptions).then((result) => process.send?.(result, () => process.exit(0))))

async function measure({
  socket: path,
  path: url,
  bodies,
  viewers = 0,
  connections,
  perSecond,
  requests: most = Infinity,
  seconds,
}: LoadOptions): Promise<LoadResult> {
  const tags = Array.from({ length: viewers }, () => '')
  const requestOf = (number: number): string => {
    const tag = tags[number % viewers] ?? ''
    const body = bodies[number % bodies.length] ?? ''
    const headers = `host: leaf\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
    const viewer = viewers > 0 ? `accept-encoding: gzip\r\n${tag === '' ? '' : `if-none-match: ${tag}\r\n`}` : ''
    return `POST ${url} HTTP/1.1\r\n${headers}${viewer}\r\n${body}`
  }
  const times: number[] = []
  const ages: number[] = []
  let [errors, unchanged, bytes, failedPanels, next] = [0, 0, 0, 0, 0]
  const startedAt = performance.now()
  const endAt = startedAt + seconds * 1000
  const dueAt = (number: number): number => (perSecond === null ? performance.now() : startedAt + (number * 1000) / perSecond)

  const lane = async (): Promise<void> => {
    const socket = await open(path)
    for (;;) {
      const number = next
      next += 1
      const due = dueAt(number)
      // One that falls behind by more than it was to take is asked no more: what it shows by then is clear.
      if (due >= endAt || number >= most || performance.now() > endAt + seconds * 1000) break
      const early = due - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
      const answer = await exchange(socket, requestOf(number))
      times.push(performance.now() - due)
      if (answer.status === 304) unchanged += 1
      else if (answer.status !== 200) errors += 1
      if (viewers > 0) tags[number % viewers] = answer.tag
      if (answer.ageMs !== null) ages.push(answer.ageMs)
      bytes += answer.bytes
      failedPanels += answer.failedPanels
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: connections }, lane))
  const { user, system } = process.cpuUsage()
  return {
    requests: times.length,
    errors,
    unchanged,
    bytes,
    failedPanels,
    ageP50Ms: quantile(ages, 0.5),
    ageP99Ms: quantile(ages, 0.99),
    seconds: (performance.now() - startedAt) / 1000,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    maxMs: times.reduce((longest, ms) => Math.max(longest, ms), 0),
    cpuSeconds: (user + system) / 1e6,
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket))
    socket.once('error', reject)
  })
}

interface Exchanged {
  status: number
  tag: string
  ageMs: number | null
  bytes: number
  failedPanels: number
}

/** One request and its whole answer. Answers have a length, but those without a body. */
function exchange(socket: Socket, request: string): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    let wanted = 0
    let got = 0
    let failedPanels = 0
    let head = ''
    const onData = (chunk: Buffer): void => {
      if (wanted === 0) {
        head = chunk.toString('latin1', 0, 1024)
        const end = head.indexOf('\r\n\r\n') + 4
        wanted = end + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
        head = head.slice(0, end)
      }
      got += chunk.length
      for (let at = chunk.indexOf('{"ok":false'); at >= 0; at = chunk.indexOf('{"ok":false', at + 1)) failedPanels += 1
      if (got < wanted) return
      done()
      const age = /^age: (\d+)/im.exec(head)?.[1]
      resolve({
        status: Number(head.slice(9, 12)),
        tag: /^etag: (\S+)/im.exec(head)?.[1] ?? '',
        ageMs: age === undefined ? null : Number(age) * 1000,
        bytes: got,
        failedPanels,
      })
    }
    const onClose = (): void => (done(), reject(new Error('the leaf closed the connection')))
    const done = (): void => void socket.off('data', onData).off('close', onClose)
    socket.on('data', onData).once('close', onClose)
    socket.write(request)
  })
}
