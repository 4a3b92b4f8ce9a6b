import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { createLogger } from '../../platform/logger.ts'
import { Boards } from './leaf/board.ts'
import { Artefacts } from './leaf/artefacts/artefacts.ts'
import { Compactor } from './leaf/compactor.ts'
import { DerivedColumns } from './leaf/derived.ts'
import { Engine } from './leaf/engine.ts'
import { Engines } from './leaf/engines.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import { boundsOf } from '../../core/scuba/limits.ts'
import { INTAKE_ARGS, intakeOf } from '../../core/scuba/ports.ts'
import { Decoders } from './leaf/listen/decoders.ts'
import { Scraper } from './leaf/scrape/scraper.ts'
import { openPorts, type Ports } from './leaf/listen/ports.ts'
import { Keeper } from './leaf/keeper.ts'
import { PeerCalls } from './aggregate/call.ts'
import { Peers } from './aggregate/peers.ts'
import { Copies } from './replica/copies.ts'
import { AsideKeeper } from './replica/aside-keeper.ts'
import { HeldCopies } from './replica/held-copies.ts'
import { OwnYet } from './replica/own-yet.ts'
import { dropOldAside, standDown } from './replica/stand-down.ts'
import { followOwnDoor } from './aggregate/own-door.ts'
import { openPeerPort, peerKeys } from './aggregate/port.ts'
import { createLeafServer, listenerOf, type Leaf } from './leaf/http.ts'
import { clickHouseMark, readClickHouse } from './clickhouse/settings.ts'
import { openClickHouse } from './clickhouse/open.ts'
import { seedLive } from './leaf/live-seed.ts'
import { openPgListener } from './leaf/pg/listener.ts'
import { pgSocketOf } from './leaf/pg/socket.ts'
import { ensureLeafName } from './leaf/name.ts'
import { PartialFiles } from './leaf/partial-files.ts'
import { Retainer } from './leaf/retainer.ts'
import { Scrubber } from './leaf/scrubber.ts'
import { Sealer } from './leaf/sealer.ts'
import { SlowSenders } from './leaf/slow-senders.ts'
import { Store } from './leaf/store.ts'
import { TableJobs } from './leaf/table-jobs.ts'

/**
 * The store process of a node: takes rows in, keeps them, answers. Never loads the engine itself. SIGTERM commits what
 * waits and ends; after kill -9 the next start reads manifest and journal.
 */

const { values } = parseArgs({
  options: {
    ...{ dir: { type: 'string' }, socket: { type: 'string' }, log: { type: 'string' } },
    // Where servers of other machines reach it, and the file with key, certificate and authority by which leaves know each other.
    ...{ peers: { type: 'string' }, keys: { type: 'string' } },
    // Where other programs' ways in listen; those that are not named do not.
    ...INTAKE_ARGS,
    limit: { type: 'string', multiple: true },
  },
})
if (values.dir === undefined || values.socket === undefined) {
  process.stderr.write(
    'usage: leaf-main --dir DIR --socket PATH [--log FILE] [--otlp|--prometheus|--syslog|--lines HOST:PORT] [--scrape JOB=URL] [--limit NAME=NUMBER]\n',
  )
  process.exit(2)
}
const { dir, socket } = values
const log = createLogger(values.log ?? null)
const bounds = boundsOf(values.limit ?? [])
if (isRefusal(bounds)) {
  process.stderr.write(`${bounds.message}. ${bounds.hint}\n`)
  process.exit(2)
}
const store = new Store(dir, log)
store.bounds = bounds
const engines = new Engines(dir, log)
const engine = engines.first
// Sealing has an engine of its own, started when there is something to seal: neither it nor queries wait for the other.
const sealEngine = new Engine(dir, log, engines.all.length + 1, 'sealer')
const clickHouse = readClickHouse(dir)
const away = openClickHouse(clickHouse, sealEngine, dir, ensureLeafName(dir), log)
store.away = away
engines.away = away
const sealer = new Sealer(store, sealEngine)
const parts = {
  ...{ store, engine, engines, sealEngine, sealer },
  compactor: new Compactor(store, sealEngine),
  retainer: new Retainer(store, sealEngine),
  scrubber: new Scrubber(store),
  derived: new DerivedColumns(store, engine),
  jobs: new TableJobs(store, sealer),
}
store.derived = parts.derived
const name = ensureLeafName(dir)
const calls = new PeerCalls(peerKeys(values.keys))
const peers = new Peers(store, name, calls)
store.peers = peers
const copies = new Copies(store, sealer, calls, name)
store.copies = copies
const held = new HeldCopies(store, name)
peers.owns = () => held.owns()
const ownYet = new OwnYet(store, () => copies.following().length > 0)
const intake = { store, decoders: new Decoders(log), sealer, peers, name }
let ports: Ports | null = null
let scraper: Scraper | null = null
const leaf: Leaf = {
  ...intake,
  ...parts,
  boards: new Boards(store, engines),
  slowSenders: new SlowSenders(),
  ...{ copies, held, ownYet },
  clickhouse: () => away && { where: away.where, away: away.trouble, mark: clickHouseMark(clickHouse) },
  intake: () => ({ ports: ports?.status() ?? {}, scrape: scraper?.status() ?? [] }),
}
const server = createLeafServer(leaf)
const keeper = new Keeper(parts)

await holdFolder()
await store.open()
held.open()
await standDown(store, parts.jobs, name)
store.onDiscard = (paths) => engines.forget(paths)
engines.start()
const artefacts = new Artefacts(store, engines)
void artefacts
  .open()
  .then(() => (engines.artefacts = artefacts))
  .catch((error: unknown) => log.warn('nothing is built ahead', { error: String(error) }))
engines.partials.open(
  engine.version().then(
    (version) => {
      const isThere = (segment: string): boolean => [...store.manifest.tables.values()].some(({ segments }) => segments.has(segment))
      const hasRoom = (): boolean => store.diskLevel === 'ok' || store.diskLevel === 'warn'
      return new PartialFiles(join(dir, 'cache'), { version, isThere, hasRoom, bytesMax: bounds.partialDiskBytesMax })
    },
    (error: unknown) => (log.warn('nothing of earlier answers is kept on the disk', { error: String(error) }), null),
  ),
)
const asked = intakeOf(values)
ports = await openPorts(asked.ports, intake)
scraper = new Scraper(asked.scrape, intake)
scraper.start()
// Sealing waits for it: then no row is both in a segment that is read back and in the journal.
let isSeeded = false
void seedLive(store, engine).finally(() => (isSeeded = true))
parts.jobs.run().catch((error: unknown) => log.warn('a table could not be dropped or renamed; it is tried again', { error: String(error) }))
mkdirSync(dirname(socket), { recursive: true, mode: 0o700 })
rmSync(socket, { force: true })
server.listen(socket, () => {
  chmodSync(socket, 0o600)
  log.info('leaf listens', { socket, pid: process.pid, tables: store.tableNames().size })
})

const forPeers = { answer: listenerOf(leaf), mayCopy: (node: string, of?: string) => held.isOf(node, of), log }
const peerPort = values.peers === undefined || values.keys === undefined ? null : openPeerPort(values.peers, values.keys, forPeers)
// A server's own has one only while its fleet has other servers.
const ownDoor = values.peers !== undefined || values.keys === undefined ? null : followOwnDoor(dir, values.keys, forPeers)
const postgres = openPgListener({ store, engines, socketPath: pgSocketOf(socket) })

const clock = setInterval(() => {
  store.tick().catch((error: unknown) => log.warn('tick failed', { error: String(error) }))
  void away?.tick((file) => store.isNamed(file))
  if (!isSeeded) return
  void sealer.tick(Date.now())
  void keeper.tick(Date.now())
  held.tick().catch((error: unknown) => log.warn('a copy could not be taken over; it is tried again', { error: String(error) }))
  void engines.artefacts?.tick(Date.now())
}, 1000)
copies.follow()
// As often as the server looks at leaves.
const asideKeeper = new AsideKeeper(leaf)
const looker = setInterval(() => {
  void peers.tick().catch(() => undefined)
  asideKeeper.tick().catch((error: unknown) => log.warn('what was set aside could not be looked at', { error: String(error) }))
}, 2000)
const teller = setInterval(() => void store.tellIngest().catch(() => undefined), 10_000)
const hourly = setInterval(() => {
  dropOldAside({ dir, policy: (table) => store.policy(table), log }, Date.now())
  store.keys.compact(Date.now()).catch((error: unknown) => log.warn('idempotency keys could not be written anew', { error: String(error) }))
}, 3_600_000)

let isStopping = false
const stop = (): void => {
  if (isStopping) return
  isStopping = true
  clearInterval(clock)
  keeper.stop()
  copies.stop()
  clearInterval(hourly)
  clearInterval(teller)
  clearInterval(looker)
  server.close()
  server.closeIdleConnections()
  peerPort?.close()
  peerPort?.closeAllConnections()
  ownDoor?.close()
  setTimeout(() => server.closeAllConnections(), 500).unref()
  // What was taken in on the ports is in the store before that closes.
  void Promise.all([scraper?.stop(), ports?.close(), postgres.close()])
    .then(() => intake.decoders.close())
    .then(() => held.close())
    .then(() => store.close())
    .then(() => {
      engines.stop()
      sealEngine.stop()
      void away?.close()
      rmSync(socket, { force: true })
      log.info('leaf stopped')
      process.exit(0)
    })
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)

/** One leaf per folder: an exclusive lock that the kernel releases with the process, whatever ends it. */
async function holdFolder(): Promise<void> {
  const lock = new Database(join(dir, 'lock.db'), { timeout: 0 })
  for (let attempt = 0; ; attempt += 1) {
    try {
      lock.pragma('locking_mode = EXCLUSIVE')
      lock.exec('BEGIN EXCLUSIVE')
      // Held until the process ends.
      process.once('exit', () => lock.close())
      return
    } catch {
      if (attempt >= 30) break
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  log.error('another leaf holds this folder', { dir })
  process.stderr.write(`another leaf holds ${dir}\n`)
  process.exit(5)
}
