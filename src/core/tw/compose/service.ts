import { parseDuration } from '../../kernel/units.ts'
import { splitWords } from './interpolate.ts'
import { takeDependencies } from './depends.ts'
import { pairsOf } from './merge.ts'
import { asMap } from './names.ts'
import type { KeyNote, Notes, Take } from './notes.ts'
import { readPorts } from './ports.ts'

/** For so long after the start of a task its agent does not count failures. */
const START_PERIOD_MS = 30_000

/** Keys without a counterpart under the exec driver, and why. */
const UNSUPPORTED: Record<string, string> = {
  build: 'the exec driver runs programs of the node; build a folder and ship it with `muster deploy start NAME --release DIR`',
  volumes: 'volumes are not supported yet; the program sees the folders of the node',
  networks: 'services reach each other through the mesh by name',
  network_mode: 'the exec driver uses the network of the node',
  configs: 'configs are not supported yet',
  secrets: 'secrets are not supported yet',
  container_name: 'tasks are named JOB/GROUP[INDEX]',
  hostname: 'a task has the host name of its node',
  privileged: 'tasks get no privileges beyond their user',
  cap_add: 'capabilities are not supported yet',
  cap_drop: 'capabilities are not supported yet',
  devices: 'devices are not supported yet',
  logging: 'output goes to rotated files on the node: `muster tw logs`',
  ulimits: 'limits other than cpu and memory are not supported yet',
  tmpfs: 'temporary file systems are not supported yet',
  links: 'services reach each other through the mesh by name',
  extra_hosts: 'the names of the node apply',
  dns: 'the resolver of the node applies',
  platform: 'use a constraint: `node.arch = amd64`',
  init: 'the agent reaps processes itself',
  tty: 'tasks have no terminal; `muster tw task exec` gives one',
  stdin_open: 'tasks have no input',
  read_only: 'the file system of the node applies',
  security_opt: 'security options are not supported yet',
  sysctls: 'kernel settings belong to the node',
  pull_policy: 'there is no image to pull',
  shm_size: 'the shared memory of the node applies',
}

const commandOf = (service: Record<string, unknown>): string[] => [...wordsOf(service['entrypoint']), ...wordsOf(service['command'])]

/** Whether the exec driver has something to run of a service. */
export function hasCommand(service: Record<string, unknown>): boolean {
  return commandOf(service).length > 0
}

/**
 * One service → a group of the job document; null when the exec driver has nothing to run.
 * @param others services that become groups too: only for these can it wait
 */
export function importService(
  name: string,
  service: Record<string, unknown>,
  env: Readonly<Record<string, string | undefined>>,
  others: ReadonlySet<string>,
  notes: Notes,
): Record<string, unknown> | null {
  const at = (key: string): string => `services.${name}.${key}`
  const take = (key: string, status: KeyNote['status'], note: string): void => notes.add(at(key), status, note)
  const command = commandOf(service)
  if (command.length === 0) {
    take(
      'image' in service ? 'image' : 'command',
      'unsupported',
      'without a command there is nothing the exec driver could run; the service is left out',
    )
    return null
  }
  const group: Record<string, unknown> = {}
  const main: Record<string, unknown> = { command }
  const environment = environmentOf(service['environment'], env)
  for (const key of Object.keys(service)) {
    if (key === 'entrypoint' || key === 'command') take(key, 'mapped', 'main.command')
    else if (key === 'image') take(key, 'changed', 'the image is not used: the command runs with the programs of the node')
    else if (key === 'environment') take(key, 'mapped', 'main.env')
    else if (key === 'working_dir') {
      main['cwd'] = String(service[key])
      take(key, 'changed', 'main.cwd: a folder of the node, not of an image')
    } else if (key === 'user') {
      main['user'] = String(service[key])
      take(key, 'changed', 'main.user: needs agents that run as root')
    } else if (key === 'labels') {
      group['labels'] = labelsOf(service[key])
      take(key, 'mapped', 'labels')
    } else if (key === 'stop_signal' || key === 'stop_grace_period') takeStop(key, service[key], main, take)
    else if (key === 'depends_on') Object.assign(group, takeDependencies(service[key], others, take))
    else if (key === 'profiles') take(key, 'mapped', 'the service is in: it is of a profile that is on')
    else if (key === 'ports' || key === 'expose') continue
    else if (key === 'restart') takeRestart(service[key], group, take)
    else if (key === 'healthcheck') takeHealth(asMap(service[key]), main, take)
    else if (key === 'scale') {
      group['count'] = Number(service[key])
      take(key, 'mapped', 'count')
    } else if (key === 'deploy') takeDeploy(asMap(service[key]), group, main, take)
    else if (key === 'cpus' || key === 'mem_limit' || key === 'mem_reservation') takeOldLimits(key, service[key], main, take)
    else if (key.startsWith('x-')) take(key, 'mapped', 'an extension, used through anchors')
    else take(key, 'unsupported', UNSUPPORTED[key] ?? 'no counterpart under the exec driver')
  }
  readPorts(name, service, { environment, command, check: checkOf(main) }, group, notes)
  if (Object.keys(environment).length > 0) main['env'] = environment
  return { ...group, main }
}

/** The words of the check, to be changed in place. */
function checkOf(main: Record<string, unknown>): string[] {
  const words = asMap(asMap(main['health'])['readiness'])['exec']
  return Array.isArray(words) ? (words as string[]) : []
}

function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return splitWords(value)
  return Array.isArray(value) ? value.map(String) : []
}

function environmentOf(value: unknown, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const pairs = Object.entries(pairsOf(value))
  // Without a value compose passes on that of the shell, and nothing when there is none.
  return Object.fromEntries(
    pairs.flatMap(([key, inner]) => (inner === null ? (env[key] === undefined ? [] : [[key, env[key]]]) : [[key, String(inner)]])),
  )
}

function labelsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Array.isArray(value)
      ? value.map((item) => [String(item).split('=')[0] ?? '', String(item).split('=').slice(1).join('=')])
      : Object.entries(asMap(value)).map(([key, inner]) => [key, String(inner)]),
  )
}

function takeStop(key: string, value: unknown, main: Record<string, unknown>, take: Take): void {
  const stop = asMap(main['stop'])
  if (key === 'stop_signal') {
    const signal = String(value).toUpperCase()
    main['stop'] = { ...stop, signal: signal.startsWith('SIG') ? signal : `SIG${signal}` }
    take(key, 'mapped', 'main.stop.signal')
  } else {
    main['stop'] = { ...stop, timeout: durationOf(value) ?? '10s' }
    take(key, 'mapped', 'main.stop.timeout')
  }
}

function takeRestart(value: unknown, group: Record<string, unknown>, take: Take): void {
  const [policy, times] = String(value).split(':')
  if (policy === 'no' || value === false) group['restart'] = { attempts: 0, mode: 'fail' }
  else if (policy === 'on-failure') group['restart'] = { attempts: times === undefined ? 1000 : Number(times), mode: 'fail', delay: '1s' }
  else group['restart'] = { attempts: 1000, mode: 'delay', delay: '1s' }
  take(
    'restart',
    policy === 'no' || policy === 'on-failure' ? 'changed' : 'mapped',
    policy === 'no' ? 'restart.attempts 0; a task that ended is still replaced elsewhere' : 'restart',
  )
}

function takeHealth(health: Record<string, unknown>, main: Record<string, unknown>, take: Take): void {
  const test = Array.isArray(health['test'])
    ? health['test'].map(String)
    : typeof health['test'] === 'string'
      ? ['CMD-SHELL', health['test']]
      : []
  if (health['disable'] === true || test[0] === 'NONE' || test.length === 0) {
    take('healthcheck', 'mapped', 'no check')
    return
  }
  const exec = test[0] === 'CMD' ? test.slice(1) : ['/bin/sh', '-c', test.slice(1).join(' ')]
  main['health'] = {
    readiness: { exec, interval: durationOf(health['interval']) ?? '30s', timeout: durationOf(health['timeout']) ?? '30s' },
  }
  take('healthcheck.test', 'changed', 'main.health.readiness: an unhealthy task gets no requests')
  for (const key of ['interval', 'timeout']) if (key in health) take(`healthcheck.${key}`, 'mapped', `main.health.readiness.${key}`)
  if ('retries' in health)
    take('healthcheck.retries', health['retries'] === 3 ? 'mapped' : 'unsupported', 'unhealthy after 3 failures in a row, always')
  if ('start_period' in health) {
    const isShort = (parseDuration(durationOf(health['start_period']) ?? '') ?? Number.POSITIVE_INFINITY) <= START_PERIOD_MS
    const rest = isShort ? '' : '; who starts for longer is unhealthy meanwhile, and has failed after update.healthy_deadline'
    take('healthcheck.start_period', isShort ? 'changed' : 'unsupported', `failures do not count for 30s after the start, always${rest}`)
  }
  if ('start_interval' in health) take('healthcheck.start_interval', 'unsupported', 'checks have one interval')
}

function takeDeploy(deploy: Record<string, unknown>, group: Record<string, unknown>, main: Record<string, unknown>, take: Take): void {
  for (const key of Object.keys(deploy)) {
    if (key === 'replicas') {
      group['count'] = Number(deploy[key])
      take('deploy.replicas', 'mapped', 'count')
    } else if (key === 'resources') takeResources(asMap(deploy[key]), main, take)
    else if (key === 'restart_policy') takeRestartPolicy(asMap(deploy[key]), group, take)
    else if (key === 'update_config') takeUpdate(asMap(deploy[key]), group, take)
    else if (key === 'labels') {
      group['labels'] = { ...asMap(group['labels']), ...labelsOf(deploy[key]) }
      take('deploy.labels', 'mapped', 'labels')
    } else take(`deploy.${key}`, 'unsupported', key === 'placement' ? 'write it as constraints: `node.region = eu`' : 'no counterpart')
  }
}

function takeResources(resources: Record<string, unknown>, main: Record<string, unknown>, take: Take): void {
  const limits = asMap(resources['limits'])
  const reservations = asMap(resources['reservations'])
  const into: Record<string, unknown> = { ...asMap(main['resources']) }
  const cpu = reservations['cpus'] ?? limits['cpus']
  if (cpu !== undefined) into['cpu'] = cpuOf(cpu)
  if ('cpus' in limits) take('deploy.resources.limits.cpus', 'changed', 'resources.cpu: what is reserved, and the weight under load')
  if ('cpus' in reservations) take('deploy.resources.reservations.cpus', 'mapped', 'resources.cpu')
  const memory = reservations['memory'] ?? limits['memory']
  if (memory !== undefined) into['memory'] = sizeOf(memory)
  if ('memory' in limits) {
    into['memory_max'] = sizeOf(limits['memory'])
    take('deploy.resources.limits.memory', 'mapped', 'resources.memory_max')
  }
  if ('memory' in reservations) take('deploy.resources.reservations.memory', 'mapped', 'resources.memory')
  for (const [part, map] of [
    ['limits', limits],
    ['reservations', reservations],
  ] as const) {
    for (const key of Object.keys(map))
      if (key !== 'cpus' && key !== 'memory') take(`deploy.resources.${part}.${key}`, 'unsupported', 'only cpu and memory are counted')
  }
  main['resources'] = into
}

function takeOldLimits(key: string, value: unknown, main: Record<string, unknown>, take: Take): void {
  const into = asMap(main['resources'])
  if (key === 'cpus') main['resources'] = { ...into, cpu: cpuOf(value) }
  else if (key === 'mem_reservation') main['resources'] = { ...into, memory: sizeOf(value) }
  else main['resources'] = { memory: sizeOf(value), ...into, memory_max: sizeOf(value) }
  take(
    key,
    key === 'cpus' ? 'changed' : 'mapped',
    key === 'cpus' ? 'resources.cpu: what is reserved' : key === 'mem_limit' ? 'resources.memory_max' : 'resources.memory',
  )
}

function takeRestartPolicy(policy: Record<string, unknown>, group: Record<string, unknown>, take: Take): void {
  const attempts = policy['condition'] === 'none' ? 0 : Number(policy['max_attempts'] ?? 1000)
  group['restart'] = {
    attempts,
    mode: 'max_attempts' in policy || attempts === 0 ? 'fail' : 'delay',
    delay: durationOf(policy['delay']) ?? '5s',
    ...('window' in policy ? { interval: durationOf(policy['window']) ?? '30m' } : {}),
  }
  for (const key of Object.keys(policy)) take(`deploy.restart_policy.${key}`, 'mapped', 'restart')
}

function takeUpdate(update: Record<string, unknown>, group: Record<string, unknown>, take: Take): void {
  const parallelism = Number(update['parallelism'] ?? 1) || 1
  const isStartFirst = update['order'] === 'start-first'
  group['availability'] = isStartFirst ? { max_unavailable: 0, max_surge: parallelism } : { max_unavailable: parallelism, max_surge: 0 }
  for (const key of Object.keys(update)) {
    if (key === 'parallelism' || key === 'order') take(`deploy.update_config.${key}`, 'mapped', 'availability')
    else
      take(`deploy.update_config.${key}`, 'unsupported', 'an update waits for healthy tasks, not for a time; rollbacks are `muster deploy`')
  }
}

function durationOf(value: unknown): string | null {
  if (typeof value === 'number') return `${value}s`
  return typeof value === 'string' && parseDuration(value) !== null ? value : null
}

function cpuOf(value: unknown): string {
  return `${Math.max(1, Math.round(Number(value) * 1000))}m`
}

const COMPOSE_BYTES: Record<string, number> = { b: 1, k: 1024, kb: 1024, m: 1024 ** 2, mb: 1024 ** 2, g: 1024 ** 3, gb: 1024 ** 3 }

/** `50M` → `50MiB`: compose counts in powers of 1,024. */
function sizeOf(value: unknown): string {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(value))
  const bytes = match ? Number(match[1]) * (COMPOSE_BYTES[(match[2] ?? '').toLowerCase() || 'b'] ?? 1) : 0
  return bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2}MiB` : `${Math.round(bytes)}B`
}
