import { formatDuration } from '../../core/kernel/units.ts'
import type { FleetStatus, NodeStatus } from '../../server/api/status.ts'
import type { View } from '../terminal.ts'
import { mark, type Mark } from './style.ts'
import { fields, table } from './table.ts'

const MARK_OF: Record<string, Mark> = {
  ready: 'ok',
  starting: 'busy',
  silent: 'warn',
  suspect: 'warn',
  draining: 'busy',
  cordoned: 'warn',
  lost: 'bad',
}

function serversLine({ servers }: FleetStatus, view: View): string {
  return servers
    .map(({ name, role, leads, isSelf, trouble, state }) => {
      const words = [leads ? 'leads' : role === 'learner' ? 'learner' : 'follows', ...(isSelf ? ['this one'] : [])]
      if (trouble === null && state !== null) return mark(view, 'bad', `${name} (${[...words, state].join(', ')})`)
      return trouble === null ? mark(view, 'ok', `${name} (${words.join(', ')})`) : mark(view, 'bad', `${name} (not reached: ${trouble})`)
    })
    .join('  ')
}

/** The ways in of the store that were asked for, and whose pages it reads. */
function intakeFields(intake: FleetStatus['scuba']['intake'], view: View): [string, string][] {
  const ports = Object.entries(intake?.ports ?? {}).map(([name, { address, error, wanted }]): [string, string] => [
    name,
    address ?? mark(view, 'bad', `${wanted} (${error})`),
  ])
  const pages = (intake?.scrape ?? []).map(({ target, error, samples }) =>
    error === null ? `${target} (${samples} samples)` : mark(view, 'bad', `${target} (${error})`),
  )
  return pages.length === 0 ? ports : [...ports, ['scrapes', pages.join('\n')]]
}

/** The processes of a fleet, where they answer and where their logs are. */
export function renderFleet(status: FleetStatus, view: View): string {
  const { server, scuba } = status
  const gateway = status.nodes.find((node) => node.gateway !== null)?.gateway
  const head = fields(view, [
    ['context', `${status.context}  ${status.healthy ? mark(view, 'ok', 'healthy') : mark(view, 'warn', 'not healthy')}`],
    ['state', status.root],
    ['server', `pid ${server.pid}, up ${formatDuration(server.upMs)}, log position ${server.position}`],
    ['servers', status.servers.length > 1 ? serversLine(status, view) : null],
    ['socket', server.socket],
    ['listens', server.listen],
    ['etcd', server.etcd],
    ['postgres', server.postgres],
    ['store', scuba.pid === null ? mark(view, 'bad', 'not running') : `pid ${scuba.pid}`],
    ...intakeFields(scuba.intake, view),
    ['gateway', gateway ? `http://${gateway}` : null],
    ['logs', `${server.log}\n${scuba.log}`],
  ])
  const nodes = table<NodeStatus>(
    view,
    status.nodes,
    [
      { title: 'node', cell: (node) => node.node },
      { title: 'region', cell: (node) => node.region },
      { title: 'state', cell: (node) => mark(view, MARK_OF[node.state] ?? 'warn', node.state) },
      { title: 'tasks', cell: (node) => node.tasks, align: 'right' },
      { title: 'gateway', cell: (node) => node.gateway },
      { title: 'beat', cell: (node) => (node.beatAgeMs === null ? '-' : `${formatDuration(node.beatAgeMs)} ago`) },
      { title: 'pid', cell: (node) => node.pid, align: 'right', isWide: true },
      { title: 'log', cell: (node) => node.log, canShrink: true },
    ],
    'No nodes: start some with `muster up --nodes N`.',
  )
  return `${head}\n\n${nodes}`
}
