import { refuse, errorFromBody, type ErrorBody, type MusterError } from '../../core/kernel/errors.ts'
import type { Proposal } from '../../core/contracts/entry.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { LeafJoined, LeafLeft } from '../../core/scuba/entries/leaves.ts'
import { nearNames } from '../../core/scuba/names.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'

interface Joined {
  leaf: string
  address: string
  /** it shows the certificate of the server beside it; not there: an agent of an older version */
  isServers?: boolean
}

const NAMED_MAX = 10

function unknownNode(db: ReadDb, node: string): MusterError | null {
  const names = db.all<{ name: string }>('SELECT name FROM tw_node ORDER BY name').map(({ name }) => name)
  if (names.includes(node)) return null
  const near = nearNames(node, names)
  const all = [...near, ...names.filter((name) => !near.includes(name))]
  const more = all.length > NAMED_MAX ? ` and ${all.length - NAMED_MAX} more (\`muster tw node ls\`)` : ''
  return refuse('NOT_FOUND', `there is no node ${node}`, {
    hint: all.length === 0 ? 'The fleet has no node yet.' : `There are ${all.slice(0, NAMED_MAX).join(', ')}${more}.`,
  })
}

/** Has a node's agent run a leaf, and makes it one of those whose rows belong into answers. */
export async function joinLeaf(host: ServerHost, node: string, actor: string): Promise<{ leaf: string; node: string; address: string }> {
  const unknown = unknownNode(host.db, node)
  if (unknown !== null) throw unknown
  const leaving = host.db.get<{ id: string }>('SELECT id FROM scuba_leaf WHERE node = ? AND leaving IS NOT NULL', node)
  if (leaving)
    throw refuse('UNAVAILABLE', `leaf ${leaving.id} of ${node} is leaving; when it has left, another one can join`, {
      hint: 'See how far it is with `muster scuba leaves`.',
    })
  const { servers } = host
  const beside = servers !== undefined && servers.present().length > 1 ? servers.beside(node) : null
  const { leaf, address, isServers = false } = await askLeaf<Joined>(host, node, 'POST', beside?.host ?? null)
  const server = isServers ? beside?.id : undefined
  await host.propose(actor, (db) => {
    const known = db.get<{ address: string | null; state: string }>('SELECT address, state FROM scuba_leaf WHERE id = ?', leaf)
    const isKnown = known?.address === address && known.state === 'present'
    return isKnown ? [] : [LeafJoined.of({ leaf, node, address, ...(server === undefined ? {} : { server }) })]
  })
  return { leaf, node, address }
}

/** Has a node's agent run no leaf any more. */
export async function endLeaf(host: ServerHost, { leaf, node }: { leaf: string; node: string }): Promise<Proposal[]> {
  await askLeaf(host, node, 'DELETE')
  return [LeafLeft.of({ leaf })]
}

/** @param serverHost where servers of other machines reach the one that is beside the node; null: there are none */
function askLeaf<T>(host: ServerHost, node: string, method: 'POST' | 'DELETE', serverHost: string | null = null): Promise<T> {
  const path = serverHost === null ? '/leaf' : `/leaf?host=${encodeURIComponent(serverHost)}`
  return new Promise((resolve, reject) => {
    const away = (error: Error): void => reject(refuse('UNAVAILABLE', `agent ${node} does not answer: ${error.message}`, { cause: error }))
    const sent = host.askAgent(node, { path, method }, (response) => {
      textOf(response).then((text) => {
        if (response.statusCode === 200) return resolve(JSON.parse(text) as T)
        try {
          reject(errorFromBody((JSON.parse(text) as { error: ErrorBody }).error))
        } catch {
          // Of a server in between: it says why it does not reach the agent in plain text.
          reject(refuse('UNAVAILABLE', `agent ${node}: ${text.slice(0, 300)}`))
        }
      }, away)
    })
    sent.on('error', away)
    sent.end()
  })
}
