import { isBatch, isSystem } from '../job-kind.ts'
import { nearest } from '../nearest.ts'
import type { GroupFile, JobFile } from '../schema.ts'
import type { SpecIssue } from './issues.ts'

/** Tasks of one `TasksPlaced`: what is refused or kept as a whole. */
const PLACED_TOGETHER_MAX = 1000

/** What one key says about another: all of it at once. */
export function crossChecks(file: JobFile): SpecIssue[] {
  return [
    ...Object.entries(file.groups).flatMap(([name, group]) => [
      ...portChecks(name, group),
      ...kindChecks(file.kind, name, group),
      ...afterChecks(file, name, group),
    ]),
    ...serviceChecks(file),
    ...runChecks(file),
    ...cycleChecks(file),
  ]
}

/** Every port that is named is a port of the group. */
function portChecks(groupName: string, group: GroupFile): SpecIssue[] {
  const ports = Object.keys(group.network.ports)
  const at = (...rest: string[]): string[] => ['groups', groupName, ...rest]
  const issues: SpecIssue[] = []
  const check = (path: string[], port: string | undefined): void => {
    if (port === undefined) {
      if (ports.length !== 1)
        issues.push({
          path,
          message:
            ports.length === 0 ? 'the group has no port: add `network: {ports: {http: {}}}`' : `name the port: one of ${ports.join(', ')}`,
        })
    } else if (!ports.includes(port)) {
      const guess = nearest(port, ports)
      const help = guess === null ? '; add it under network.ports' : `; did you mean \`${guess}\`?`
      issues.push({ path, message: `the group has no port \`${port}\`${help}` })
    }
  }
  for (const [service, definition] of Object.entries(group.services)) check(at('services', service, 'port'), definition.port)
  for (const kind of ['readiness', 'liveness'] as const) {
    const probe = group.main.health[kind]
    if (probe && probe.exec === undefined) check(at('main', 'health', kind, 'port'), probe.port)
  }
  const { consent } = group.availability
  if (consent.kind === 'http' && 'port' in consent) check(at('availability', 'consent'), consent.port)
  for (const [name, text] of [...group.main.command.map((word, i) => [`command`, word, i] as const), ...Object.entries(group.main.env)]) {
    for (const [, port] of text.matchAll(/\{\{\s*port\.([^}\s]+)\s*\}\}/g)) {
      if (port !== undefined && !ports.includes(port))
        check(at('main', ...(group.main.env[name] === text ? ['env', name] : ['command'])), port)
    }
  }
  return issues
}

/** A service belongs to one group. */
function serviceChecks(file: JobFile): SpecIssue[] {
  const seen = new Set<string>()
  return Object.entries(file.groups).flatMap(([group, { services }]) =>
    Object.keys(services).flatMap((service): SpecIssue[] => {
      if (seen.has(service)) return [{ path: ['groups', group, 'services', service], message: `the service ${service} is defined twice` }]
      seen.add(service)
      return []
    }),
  )
}

/** What only some kinds of jobs have. */
function kindChecks(kind: JobFile['kind'], groupName: string, group: GroupFile): SpecIssue[] {
  const issues: SpecIssue[] = []
  const wrong = (key: string, message: string): number => issues.push({ path: ['groups', groupName, key], message })
  const isPerNode = isSystem(kind)
  if (isPerNode && group.count !== undefined) wrong('count', `a ${kind} job has one task per eligible node: leave count out`)
  if (isPerNode && group.all_or_nothing) wrong('all_or_nothing', `a ${kind} job takes each node as it comes: leave all_or_nothing out`)
  if (group.all_or_nothing && (group.count ?? 1) > PLACED_TOGETHER_MAX)
    wrong('all_or_nothing', `at most ${PLACED_TOGETHER_MAX} tasks are placed together; count is ${group.count}`)
  if (group.max_run_time !== undefined && !isBatch(kind))
    wrong('max_run_time', `max_run_time is for kinds batch and sysbatch; this job is of kind ${kind}`)
  if (isPerNode && group.disconnect.lost_after > 0)
    wrong('disconnect', `a task of a ${kind} job is replaced nowhere but on its node: leave lost_after out`)
  if (group.disconnect.keep !== undefined && group.disconnect.lost_after === 0)
    wrong(
      'disconnect',
      'without lost_after a task is given up with its node, so there is nothing to keep: set lost_after, or leave keep out',
    )
  if (group.best_effort && group.preempts) wrong('preempts', 'a best_effort group uses what is idle: it cannot preempt')
  return issues
}

/** Runs that the clock or a person starts come to an end, and only one of the two starts them. */
function runChecks(file: JobFile): SpecIssue[] {
  const issues: SpecIssue[] = []
  for (const key of ['periodic', 'parameters'] as const) {
    if (file[key] !== undefined && !isBatch(file.kind))
      issues.push({ path: [key], message: `${key} is for kinds batch and sysbatch; this job is of kind ${file.kind}` })
  }
  if (file.periodic && file.parameters?.required.length)
    issues.push({ path: ['parameters', 'required'], message: 'the clock gives no parameters: a periodic job can require none' })
  const services = Object.entries(file.groups).filter(([, group]) => Object.keys(group.services).length > 0)
  if (file.periodic || file.parameters)
    for (const [name] of services)
      issues.push({
        path: ['groups', name, 'services'],
        message: 'runs may go on beside each other, but a service has one group: leave services out',
      })
  return issues
}

function afterChecks(file: JobFile, groupName: string, group: GroupFile): SpecIssue[] {
  const others = Object.keys(file.groups)
  return Object.keys(group.after).flatMap((other): SpecIssue[] => {
    const path = ['groups', groupName, 'after', other]
    if (other === groupName) return [{ path, message: 'a group cannot wait for itself' }]
    if (others.includes(other)) return []
    const guess = nearest(other, others)
    return [{ path, message: `the job has no group ${other}${guess === null ? '' : `; did you mean ${guess}?`}` }]
  })
}

/** What of a file can be found whatever else is wrong with it, so that all errors are told at once. */
export function rawChecks(document: unknown): SpecIssue[] {
  const groups = partsOf(partsOf(document)['groups'])
  return cycleChecks({
    groups: Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, { after: partsOf(partsOf(group)['after']) }])),
  })
}

const partsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

/** Groups that wait for each other in a circle, told once per circle. */
function cycleChecks(file: { groups: Record<string, { after: Record<string, unknown> }> }): SpecIssue[] {
  const done = new Set<string>()
  const issues: SpecIssue[] = []
  const visit = (name: string, path: readonly string[]): void => {
    const start = path.indexOf(name)
    if (start >= 0) {
      const circle = [...path.slice(start), name]
      if (circle.length > 2)
        issues.push({ path: ['groups', path.at(-1) ?? name, 'after', name], message: `a circle of waiting: ${circle.join(' after ')}` })
      return
    }
    if (done.has(name)) return
    for (const other of Object.keys(file.groups[name]?.after ?? {})) visit(other, [...path, name])
    done.add(name)
  }
  for (const name of Object.keys(file.groups)) visit(name, [])
  return issues
}
