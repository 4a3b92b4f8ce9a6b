// A store with one leader, and followers that could take over. It says itself which of its tasks may be stopped, and when: followers
// first, the leader last. muster posts what it plans to /ops (`availability.consent` of the job) and does only what the answer allows.
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const { MUSTER_TASK: me = 'leader/main[0]', MUSTER_PORT_HTTP: port = '8080', LEADER_DIR: folder = '/tmp/leader' } = process.env
const file = join(folder, 'leader')
const LEASE_MS = 3000
mkdirSync(folder, { recursive: true })

function leader() {
  try {
    return Date.now() - statSync(file).mtimeMs < LEASE_MS ? readFileSync(file, 'utf8') : null
  } catch {
    return null
  }
}

// Whoever holds the file leads, as long as it renews it; whoever finds it old takes it.
function lead() {
  const now = leader()
  if (now === me) return utimesSync(file, new Date(), new Date())
  if (now !== null) return
  rmSync(file, { force: true })
  try {
    writeFileSync(file, me, { flag: 'wx' })
  } catch {
    // Somebody was faster.
  }
}
setInterval(lead, 200)
lead()

/** What may happen now. Ops that are not named wait, and are asked for again. */
function decide({ pending, running }) {
  const first = leader()
  const followers = pending.filter((op) => op.task !== first)
  const last = pending.filter((op) => op.task === first)
  // The leader goes when nothing else is to be done and nothing is under way.
  const allow = followers.length > 0 || running.length > 0 ? followers : last
  return { allow: allow.map((op) => op.op), order: [...followers, ...last].map((op) => op.op) }
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  if (request.url === '/ops') {
    let text = ''
    for await (const chunk of request) text += chunk
    return answer(200, decide(JSON.parse(text)))
  }
  answer(leader() === null ? 503 : 200, { me, leader: leader() })
})
server.listen(Number(port))

process.on('SIGTERM', () => {
  if (leader() === me) rmSync(file, { force: true })
  process.exit(0)
})
