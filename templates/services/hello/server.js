// A small HTTP service without dependencies: what a service on muster looks like, and something to practise on.
//
//   PORT         port to listen on (the job gives {{port.http}})
//   FAIL_RATE    share of requests answered 500, e.g. 0.05
//   LATENCY_MS   added to every answer
//
// The version comes from version.json beside this file ({"version": "2", "failRate": 0.05, "latencyMs": 20}: defaults a
// release carries with it), else from MUSTER_RELEASE.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const release = readRelease()
const version = String(release.version ?? process.env.MUSTER_RELEASE ?? process.env.MUSTER_VERSION ?? 'dev')
const failRate = Number(process.env.FAIL_RATE ?? release.failRate ?? 0)
const latencyMs = Number(process.env.LATENCY_MS ?? release.latencyMs ?? 0)
const port = Number(process.env.PORT ?? 8080)

let isStopping = false
let served = 0

const server = createServer((request, response) => {
  // Whoever asks again on this connection would find it closed: say so in time.
  if (isStopping) response.setHeader('connection', 'close')
  const path = request.url?.split('?')[0]
  if (path === '/healthz') return answer(response, 200, { ok: true })
  if (path === '/ready') return answer(response, isStopping ? 503 : 200, { ready: !isStopping })
  setTimeout(() => {
    served += 1
    if (Math.random() < failRate) return answer(response, 500, { error: 'this release fails some requests', ...about() })
    answer(response, 200, { message: 'hello', path, ...about() })
  }, latencyMs)
})

function about() {
  return { version, task: process.env.MUSTER_TASK ?? '', node: process.env.MUSTER_NODE ?? '', served }
}

function answer(response, status, body) {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function readRelease() {
  try {
    return JSON.parse(readFileSync(new URL('version.json', import.meta.url), 'utf8'))
  } catch {
    return {} // no version.json: the environment says it
  }
}

server.keepAliveTimeout = 65_000
server.listen(port, '127.0.0.1', () => console.log(`hello ${version} listens on ${port}`))

// Requests that have begun are answered; new ones go elsewhere, since /ready says no. Then the process ends by itself.
process.on('SIGTERM', () => {
  if (isStopping) return
  isStopping = true
  console.log(`hello ${version} stops after ${served} requests`)
  server.close(() => process.exit(0))
  server.closeIdleConnections()
  setTimeout(() => process.exit(0), 10_000).unref()
})
