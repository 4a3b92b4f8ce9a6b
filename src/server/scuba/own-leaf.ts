import { mkdirSync } from 'node:fs'
import { presentServers, type RegisterValue } from '../../core/delos/virtual-log/value.ts'
import { textOf } from '../../platform/streams.ts'
import { freePort } from '../../platform/free-port.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { doorAddress, readDoor, writeDoor } from './aggregate/door-file.ts'
import { HERE } from '../following/here.ts'
import type { LeaderLink } from '../following/leader-link.ts'
import { CALLER_HEADER } from '../following/pass-on.ts'
import { leafName } from './leaf/name.ts'
import type { ServersOfLeaves } from './server-leaves.ts'

/** A server's own leaf, as the others know it. */
export interface OwnLeaf {
  leaf: string
  /** `https://HOST:PORT` */
  address: string
}

export interface OwnLeafDoor {
  /** null: nobody else reaches it, or it was never started */
  where: () => OwnLeaf | null
  /** Follows who the servers are: with others the leaf has a port, on the host of this server's own address; alone it has none. */
  follow: (value: RegisterValue) => Promise<void>
}

/** Keeps the port by which other servers reach this one's leaf. @param self id of this server, 16 hex digits */
export function keepOwnLeafDoor(paths: Pick<StatePaths, 'scuba'>, self: string, log: Logger): OwnLeafDoor {
  let following: Promise<void> = Promise.resolve()

  const follow = async (value: RegisterValue): Promise<void> => {
    const servers = presentServers(value)
    const own = servers.find(({ id }) => id === self)
    const before = readDoor(paths.scuba)
    const isOpen = own !== undefined && servers.length > 1
    const host = hostOf(own?.addresses[0]) ?? before?.host ?? '127.0.0.1'
    if (before === null ? !isOpen : before.isOpen === isOpen && (!isOpen || before.host === host)) return
    mkdirSync(paths.scuba, { recursive: true, mode: 0o700 })
    // The same port for good, for who has to let it through.
    writeDoor(paths.scuba, { host, port: before?.port ?? (await freePort(host)), isOpen })
  }
  return {
    where: () => {
      const [leaf, door] = [leafName(paths.scuba), readDoor(paths.scuba)]
      return leaf === null || door?.isOpen !== true ? null : { leaf, address: `https://${doorAddress(door)}` }
    },
    follow: (value) => {
      following = following
        .then(() => follow(value))
        .catch((error: unknown) => log.error('other servers cannot reach the leaf of this one', { reason: String(error) }))
      return following
    },
  }
}

const hostOf = (url: string | undefined): string | null => URL.parse(url ?? '')?.hostname.replace(/^\[|\]$/g, '') || null

const ANSWER_MS_MAX = 5000

/** The servers as the log of them says, each asked by the connections between servers. */
export function serversOfLeaves({
  fleet,
  link,
  ownLeaf,
  serverOf,
}: {
  fleet: { control: { value: () => RegisterValue }; self: bigint }
  link: LeaderLink
  ownLeaf: () => OwnLeaf | null
  /** null: this one */
  serverOf: (node: string) => bigint | null
}): ServersOfLeaves {
  const idOf = (server: bigint): string => server.toString(16).padStart(16, '0')
  const self = idOf(fleet.self)
  const present = () => presentServers(fleet.control.value())
  return {
    self,
    present,
    beside: (node) => {
      const id = idOf(serverOf(node) ?? fleet.self)
      return { id, host: hostOf(present().find((server) => server.id === id)?.addresses[0]) }
    },
    ask: (id) => (id === self ? Promise.resolve(ownLeaf()) : askServer(link, BigInt(`0x${id}`))),
  }
}

function askServer(link: LeaderLink, server: bigint): Promise<OwnLeaf | null> {
  return new Promise((resolve, reject) => {
    const headers = { [CALLER_HEADER]: 'operator server' }
    const sending = link.request(server, { method: 'GET', path: `${HERE}/leaf`, headers, timeout: ANSWER_MS_MAX }, (answer) => {
      textOf(answer)
        .then((text) => {
          // One of an older version does not know what it is asked.
          resolve(answer.statusCode === 200 ? (JSON.parse(text) as { data: OwnLeaf | null }).data : null)
        })
        .catch(reject)
    })
    sending.once('timeout', () => sending.destroy(new Error('no answer in time')))
    sending.once('error', reject)
    sending.end()
  })
}
