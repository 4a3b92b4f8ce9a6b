import type { Socket } from 'node:net'
import { parseAddress } from '../core/contracts/join-token.ts'
import { memberCertify } from '../core/delos/operations.ts'
import { presentServers, type RegisterValue } from '../core/delos/virtual-log/value.ts'
import { MusterError } from '../core/kernel/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Authority } from './delos/membership/authority.ts'
import type { FleetMembers } from './delos/membership/fleet-members.ts'
import type { Identity } from './state/identity.ts'
import { letIn } from './delos/membership/let-in.ts'
import { createTokenAction } from './delos/membership/tokens.ts'
import { createPeers, type Peers, type PeerTls } from './delos/quorum/peers.ts'
import { keepReach, type Reach } from './delos/virtual-log/reach.ts'
import type { VirtualLog } from './delos/virtual-log/virtual-log.ts'
import type { ServerHost, Wiring } from './host.ts'
import { freePort } from '../platform/free-port.ts'

export interface FleetServersOptions {
  identity: Identity
  /** `HOST:PORT` where other servers shall reach this one; null: as before, or a free port of 127.0.0.1 */
  address: string | null
  authority: Authority
  /** of this server, if it has a certificate already */
  tls: PeerTls | null
  /** takes a connection on which another server asks what a client asks */
  onClient: (socket: Socket) => void
  log: Logger
  onFatal: (error: MusterError) => void
}

export interface Hosting {
  control: VirtualLog
  kv: VirtualLog
  members: FleetMembers
  /** runs commands on the server that leads */
  run: ServerHost['run']
  /** position after the last entry */
  position: () => number
}

/** The connections between the servers of a fleet, and how others come in. */
export interface FleetServers {
  peers: Peers
  /** Keeps the connections up with who is a server of either log, from now on, and lets others in. Opens the port where there are any. */
  host: (hosting: Hosting) => Promise<void>
  /** Carries `delos.member.token` out. */
  memberToken: NonNullable<Wiring['plannedActions']>[string]
  close: () => Promise<void>
}

/** So that whoever removed this server is answered. */
const LEAVE_MS = 1000
/** A server that is started after it was removed tells the others what it knows, if they answer. */
const FAREWELL_MS = 10_000

export function connectServers(options: FleetServersOptions): FleetServers {
  const { identity, authority, onClient, log, onFatal } = options
  const listen = options.address === null ? { host: '127.0.0.1', port: 0 } : peersAddress(options.address)
  let hosting: Hosting | null = null
  let reach: Reach | null = null
  let hasCertificate = options.tls !== null
  const hosted = (): Hosting => {
    if (hosting === null) throw new MusterError('UNAVAILABLE', 'this server is starting')
    return hosting
  }
  const peers = createPeers({
    ...{
      self: BigInt(`0x${identity.server}`),
      clusterId: BigInt(`0x${identity.cluster}`),
      listen,
      peers: [],
      tls: options.tls,
      log,
      onClient,
    },
    isRemoved: (id) => reach?.isGone(id) === true,
    join: async (request) => {
      const { run, members, control } = hosted()
      return letIn(request, {
        ...{ authority, identity, run },
        removed: () => removedOf(control.value()),
        addMember: ({ server, name, address, isVoter }) => members.letIn({ id: server, name, address, isVoter }),
      })
    },
  })

  const open = async (): Promise<void> => {
    if (listen.port === 0) listen.port = await freePort(listen.host)
    if (!hasCertificate) peers.useTls(await authority.tls())
    hasCertificate = true
    await peers.listen()
  }
  /** What the fleet knows of where this server is; '' while nobody has to. */
  const known = (): string =>
    hosted()
      .control.value()
      .servers.find(({ id }) => id === identity.server)?.addresses[0] ?? ''
  const tellAddress = async (): Promise<void> => {
    const url = `https://${addressOf(listen)}`
    if (known() === url) return
    const refusal = await hosted().members.update(BigInt(`0x${identity.server}`), [url])
    if (refusal !== null) throw new MusterError('DELOS_RECONFIGURE_REFUSED', refusal.text)
  }
  const gone = new MusterError('DELOS_MEMBER_REMOVED', `server ${identity.name} was removed from its fleet`, {
    hint: 'Join again with a new token, in another --context or after `muster down --purge`.',
  })
  const isRemoved = (value: RegisterValue): boolean => !presentServers(value).some(({ id }) => id === identity.server)
  const connect = async (): Promise<void> => {
    // A lone one, too, that told somebody where it is.
    if (reach?.isAlone() === false || known() !== '') await open()
    reach?.update()
  }

  authority.onOwn((tls, issued) => {
    if (hasCertificate) peers.useTls(tls)
    // The first one of a lone server is made before anything runs; the next is noted.
    hosting
      ?.run(memberCertify, issued, `server:${identity.name}`)
      .catch((error: Error) => log.warn('a certificate of this server was not noted', { reason: error.message }))
  })

  return {
    peers,
    host: async (given) => {
      hosting = given
      reach = keepReach(BigInt(`0x${identity.server}`), peers, [given.control, given.kv])
      const released = Promise.all([given.control.released, given.kv.released])
      const before = URL.parse(known())
      if (options.address === null && before !== null) Object.assign(listen, peersAddress(before.host))
      const again = (): void =>
        void connect().catch((error: MusterError) => log.error('other servers cannot reach this one', { reason: error.message }))
      given.control.onValue(again)
      given.kv.onValue(again)
      await connect()
      if (isRemoved(given.control.value())) {
        await Promise.race([released, new Promise((resolve) => setTimeout(resolve, FAREWELL_MS))])
        throw gone
      }
      void released.then(() => {
        log.error(gone.message, { code: gone.code })
        setTimeout(() => onFatal(gone), LEAVE_MS)
      })
      if (options.address !== null && known() !== '')
        void tellAddress().catch((error: Error) => log.error('the others do not know where this server is now', { reason: error.message }))
    },
    memberToken: (input, context, wish) => {
      const { run, position } = hosted()
      const issue = createTokenAction({
        ...{ authority, identity, run, position },
        open: async () => {
          await open()
          await tellAddress()
          return addressOf(listen)
        },
      })
      return issue(input, context, wish)
    },
    close: async () => {
      authority.stop()
      reach?.stop()
      await peers.close()
    },
  }
}

const removedOf = ({ servers }: RegisterValue): string[] => servers.flatMap(({ id, role }) => (role === 'removed' ? [id] : []))

/** Of both logs: a change of members is made of one after the other. */
/** Throws USAGE. */
export function peersAddress(text: string): { host: string; port: number } {
  const address = parseAddress(text)
  if (address === null) throw new MusterError('USAGE', `--peers wants HOST:PORT, not "${text}"`)
  return address
}

const addressOf = ({ host, port }: { host: string; port: number }): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
