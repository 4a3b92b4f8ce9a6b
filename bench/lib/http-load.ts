import { connect } from 'node:net'

/**
 * Load over keep-alive connections, one request under way on each: `http-load.ts PORT CONNECTIONS SECONDS`.
 * Prints `{requests, errors, seconds, p50Ms, p99Ms}`. For machines without wrk; itself costs about as much as the proxy.
 */
const [port, connections, seconds] = process.argv.slice(2).map(Number)
if (port === undefined || connections === undefined || seconds === undefined) process.exit(2)

const REQUEST = Buffer.from(`GET /bench HTTP/1.1\r\nhost: web\r\nuser-agent: muster-bench\r\naccept: */*\r\n\r\n`)
const latencies: number[] = []
let errors = 0
const startedAt = performance.now()
const endAt = startedAt + seconds * 1000

async function lane(): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: port as number, noDelay: true })
  await new Promise<void>((resolve) => {
    let sentAt = 0
    let wanted = 0
    let got = 0
    const send = (): void => {
      sentAt = performance.now()
      if (sentAt >= endAt) {
        socket.destroy()
        return
      }
      got = 0
      wanted = 0
      socket.write(REQUEST)
    }
    socket.on('connect', send)
    socket.on('data', (chunk: Buffer) => {
      if (wanted === 0) {
        const head = chunk.toString('latin1')
        const length = /content-length: (\d+)/i.exec(head)?.[1]
        wanted = head.indexOf('\r\n\r\n') + 4 + Number(length ?? 0)
        if (!head.startsWith('HTTP/1.1 200')) errors += 1
      }
      got += chunk.length
      if (got < wanted) return
      latencies.push(performance.now() - sentAt)
      send()
    })
    socket.on('error', () => (errors += 1))
    socket.on('close', () => resolve())
  })
}

await Promise.all(Array.from({ length: connections }, lane))
latencies.sort((a, b) => a - b)
const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
const took = (performance.now() - startedAt) / 1000
process.stdout.write(`${JSON.stringify({ requests: latencies.length, errors, seconds: took, p50Ms: at(0.5), p99Ms: at(0.99) })}\n`)
