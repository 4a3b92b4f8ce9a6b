import { randomInt } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls'
import { LIMITS } from '../../../../core/scuba/limits.ts'
import type { PgRefusal } from '../../../../core/scuba/pgwire/problem.ts'
import { SessionSettings } from '../../../../core/scuba/pgwire/settings.ts'
import type { Engines } from '../engines.ts'
import type { Store } from '../store.ts'
import { AccessFile, type PgAccess } from './access-file.ts'
import { CatalogueFile } from './catalogue-file.ts'
import { PgConnection } from './connection.ts'
import { login } from './login.ts'
import type { PgBackend } from './select.ts'
import { PgSession } from './session.ts'

const LOOK_MS = 500

export interface PgListener {
  /** where it listens by TCP; null: nowhere */
  address: () => string | null
  connections: () => number
  close: () => Promise<void>
}

/** How a connection came in. */
interface Door {
  /** the owner's own socket: whoever reaches it is the owner */
  isOwner: boolean
}

/**
 * PostgreSQL's protocol on the leaf: always on the owner's Unix socket, and by TCP where `postgres.json` in the store's folder says,
 * for the tokens that are named there. Both follow that file.
 */
export function openPgListener({ store, engines, socketPath }: { store: Store; engines: Engines; socketPath: string }): PgListener {
  const { log } = store
  const backend: PgBackend = { store, engines, catalogue: new CatalogueFile(store) }
  const file = new AccessFile(store.dir)
  const open = new Set<PgConnection>()
  /** pid of the protocol → whom a cancel request stops */
  const sessions = new Map<number, { secret: number; session: PgSession }>()
  let access: PgAccess = file.read(complain)
  let tls: { file: string; context: SecureContext } | null = null
  let tcp: { server: Server; asked: string } | null = null
  let lastPid = 0

  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 })
  rmSync(socketPath, { force: true })
  const own = createServer({ allowHalfOpen: true }, (socket) => void accept(socket, { isOwner: true }))
  own.on('error', (error) => log.warn("the owner's PostgreSQL socket cannot be opened", { socket: socketPath, error: String(error) }))
  own.listen(socketPath, () => chmodSync(socketPath, 0o600))
  follow()
  const timer = setInterval(follow, LOOK_MS)

  function complain(reason: string): void {
    log.warn('postgres.json cannot be read: logins and address stay as they were', { reason })
  }

  function follow(): void {
    access = file.read(complain)
    const asked = access.listen === null ? '' : `${access.listen.host}:${access.listen.port}`
    if (tcp?.asked === asked || (tcp === null && asked === '')) return
    tcp?.server.close()
    tcp = null
    if (access.listen === null) return
    const server = createServer({ allowHalfOpen: true }, (socket) => void accept(socket, { isOwner: false }))
    tcp = { server, asked }
    server.on('error', (error) => {
      log.warn('PostgreSQL clients cannot be answered there', { address: asked, error: String(error) })
      // Tried again at the next look, when the port may be free.
      if (tcp?.server === server && !server.listening) setTimeout(() => (tcp = tcp?.server === server ? null : tcp), 5000).unref()
    })
    server.listen(access.listen.port, access.listen.host, () => log.info('PostgreSQL clients are answered', { address: asked }))
  }

  /** Of the certificate as it is now: the server renews it. */
  function secureContext(): SecureContext | null {
    if (access.tls === null) return null
    try {
      const pem = readFileSync(access.tls, 'utf8')
      if (tls?.file !== pem) tls = { file: pem, context: createSecureContext({ key: pem, cert: pem, minVersion: 'TLSv1.2' }) }
      return tls.context
    } catch (error) {
      log.warn('there is no TLS for PostgreSQL clients', { file: access.tls, error: (error as Error).message })
      return null
    }
  }

  async function accept(socket: Socket, door: Door): Promise<void> {
    const connection = new PgConnection(socket)
    open.add(connection)
    const impatient = setTimeout(() => socket.destroy(), LIMITS.pgLoginMs)
    socket.setTimeout(LIMITS.pgIdleMs, () => connection.socket.destroy())
    try {
      const parameters = await begin(connection, door)
      if (parameters === null) return connection.end()
      const refusal = open.size > LIMITS.pgConnectionsMax ? tooMany() : await admit(connection, door, parameters)
      clearTimeout(impatient)
      if (refusal !== null) return await connection.fail(refusal)
      await serve(connection, door, parameters)
    } catch (error) {
      log.error('bug in a PostgreSQL connection', { stack: (error as Error).stack })
      await connection.fail({ sqlState: 'XX000', message: 'a bug ended this connection; it is in the log of the leaf' })
    } finally {
      clearTimeout(impatient)
      open.delete(connection)
    }
  }

  /** Encryption, cancel requests, then the start-up message; null: it wanted nothing more. */
  async function begin(connection: PgConnection, door: Door): Promise<Record<string, string> | null> {
    for (let isEncrypted = false; ;) {
      const message = await connection.receive((reader) => reader.start())
      switch (message?.type) {
        case 'ssl': {
          const context = isEncrypted || door.isOwner ? null : secureContext()
          // Bytes that came before TLS began are nobody's words within it (CVE-2021-23214).
          if (connection.reader.waitingBytes > 0) return null
          connection.socket.write(context === null ? 'N' : 'S')
          if (context === null) break
          connection.socket.removeAllListeners('data')
          connection.use(new TLSSocket(connection.socket, { isServer: true, secureContext: context }))
          isEncrypted = true
          break
        }
        case 'gss':
          connection.socket.write('N')
          break
        case 'cancel': {
          const known = sessions.get(message.pid)
          if (known?.secret === message.secret) known.session.cancel()
          return null
        }
        case 'startup':
          if (message.minor > 0 || Object.keys(message.parameters).some((name) => name.startsWith('_pq_.')))
            connection.out.negotiate(Object.keys(message.parameters).filter((name) => name.startsWith('_pq_.')))
          return message.parameters
        case 'broken':
          await connection.fail({ sqlState: '08P01', message: message.reason })
          return null
        default:
          return null
      }
    }
  }

  /** Says why it is not let in; null: it is. */
  async function admit(connection: PgConnection, door: Door, parameters: Record<string, string>): Promise<PgRefusal | null> {
    const { user } = parameters
    if (user === undefined || user === '') return { sqlState: '28000', message: 'no user name was given' }
    if (parameters['replication'] !== undefined && !/^(false|off|0|no)$/.test(parameters['replication']))
      return { sqlState: '0A000', message: 'there is nothing to replicate here' }
    if (!door.isOwner) {
      if (!isLoopback(connection.socket.remoteAddress) && !(connection.socket instanceof TLSSocket) && access.tls !== null)
        return { sqlState: '28000', message: 'from other machines only with TLS', hint: 'Add sslmode=require.' }
      const refusal = await login(connection, user, access.logins.find(({ name }) => name === user)?.verifier ?? null)
      if (refusal !== null) return refusal
    }
    return null
  }

  async function serve(connection: PgConnection, { isOwner }: Door, parameters: Record<string, string>): Promise<void> {
    const user = parameters['user'] ?? ''
    const settings = new SessionSettings({ session_authorization: user, unix_socket_directories: dirname(socketPath) })
    const asked = { ...optionsOf(parameters['options'] ?? ''), ...parameters }
    for (const [name, value] of Object.entries(asked)) {
      if (['user', 'database', 'options', 'replication'].includes(name) || name.startsWith('_pq_.')) continue
      const refusal = settings.set(name, value)
      if (typeof refusal === 'object' && refusal !== null) return connection.fail(refusal)
    }
    settings.settle()
    const pid = (lastPid = (lastPid % 2_000_000_000) + 1)
    const secret = randomInt(-(2 ** 31), 2 ** 31)
    const session = new PgSession(connection, backend, settings, { user, pid, asker: isOwner ? user : `token:${user}` })
    sessions.set(pid, { secret, session })
    connection.out.authentication(0)
    for (const [name, value] of settings.reported()) connection.out.parameterStatus(name, value)
    connection.out.backendKey(pid, secret)
    try {
      await session.serve()
    } finally {
      sessions.delete(pid)
    }
  }

  return {
    address: () => {
      const address = tcp?.server.listening === true ? (tcp.server.address() as AddressInfo) : null
      return address === null ? null : `${address.address}:${address.port}`
    },
    connections: () => open.size,
    close: async () => {
      clearInterval(timer)
      own.close()
      tcp?.server.close()
      await Promise.all([...open].map((connection) => connection.fail({ sqlState: '57P01', message: 'the leaf is stopping' })))
      rmSync(socketPath, { force: true })
    },
  }
}

const tooMany = (): PgRefusal => ({
  sqlState: '53300',
  message: `there are ${LIMITS.pgConnectionsMax} connections already`,
  hint: 'Close some, or use a pool.',
})

const isLoopback = (address: string | undefined): boolean => address !== undefined && /^(::1|(::ffff:)?127\.)/.test(address)

/** `-c name=value` and `--name=value` of the start-up message's `options`. */
function optionsOf(text: string): Record<string, string> {
  const words = text.match(/(?:\\.|[^\s\\])+/g)?.map((word) => word.replaceAll(/\\(.)/g, '$1')) ?? []
  const pairs = words.flatMap((word, index) => (word === '-c' ? [words[index + 1] ?? ''] : (/^(?:-c|--)(.+)$/.exec(word)?.[1] ?? [])))
  return Object.fromEntries(
    pairs.filter((pair) => pair.includes('=')).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
}
