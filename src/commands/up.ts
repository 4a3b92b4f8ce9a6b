import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { Flags, MusterCommand } from '../cli/command.ts'
import { renderFleet } from '../cli/render/fleet.ts'
import { isRefusal, MusterError } from '../core/kernel/errors.ts'
import type { IntakeOptions, IntakePort } from '../core/scuba/ports.ts'
import type { FleetStatus } from '../server/api/status.ts'
import type { Membership } from '../server/processes/server-command.ts'

export default class Up extends MusterCommand {
  static override summary = 'Start the fleet of this context on this machine, and wait until it is healthy.'
  static override description =
    'Starts the control plane, node agents, their mesh proxies and the event store as background processes of your own user; no root and no service is needed. ' +
    'What ran before (jobs, rollouts, incidents) comes back with it. All ports are free ones unless you name one.'
  static override examples = [
    '<%= config.bin %> up',
    '<%= config.bin %> up --nodes 6 --regions 2',
    '<%= config.bin %> up --nodes 2 --gpu T4=2',
    '<%= config.bin %> up --context blue --json',
    '<%= config.bin %> up --listen 127.0.0.1:7700',
    '<%= config.bin %> up --etcd 127.0.0.1:2379',
    '<%= config.bin %> up --postgres 127.0.0.1:5433',
    '<%= config.bin %> up --otlp 127.0.0.1:4318 --prometheus 127.0.0.1:9201 --syslog 127.0.0.1:5514',
    'MUSTER_CLICKHOUSE="http://muster:$PASSWORD@10.0.0.7:8123/events" <%= config.bin %> up',
    '<%= config.bin %> up --join "$TOKEN" --name b --peers 10.0.0.5:2380',
  ]
  static override flags = {
    nodes: Flags.integer({
      description: 'node agents on this machine; without it, as many as before (at first 1); 0: a server alone',
      min: 0,
      max: 64,
      helpValue: 'N',
    }),
    regions: Flags.integer({ description: 'regions the nodes are spread over', min: 1, max: 16, helpValue: 'N' }),
    'node-cpu': Flags.string({
      description: 'cpu that tasks may reserve on a node, e.g. 500m; without it an even share of the machine',
      helpValue: 'CPU',
    }),
    'node-memory': Flags.string({ description: 'memory that tasks may reserve on a node, e.g. 2GiB', helpValue: 'SIZE' }),
    'node-disk': Flags.string({
      description: 'disk that tasks may reserve on a node; without it an even share of the file system of the state',
      helpValue: 'SIZE',
    }),
    gpu: Flags.string({
      description:
        "GPUs of each node, in the order of their indexes, or none; without it the first node has those that NVIDIA's driver names",
      multiple: true,
      helpValue: 'MODEL=COUNT',
    }),
    listen: Flags.string({ description: 'also answer on TCP, with bearer tokens', helpValue: 'HOST:PORT' }),
    etcd: Flags.string({ description: "answer etcd's clients too, on the fleet's own key-value store", helpValue: 'HOST:PORT' }),
    postgres: Flags.string({
      description: "answer SQL of PostgreSQL's clients about the fleet's events; they log in with the name and secret of a token",
      helpValue: 'HOST:PORT',
    }),
    otlp: Flags.string({
      description: "take in OpenTelemetry's logs, metrics and traces over HTTP; usually 127.0.0.1:4318",
      helpValue: 'HOST:PORT',
    }),
    prometheus: Flags.string({ description: "take in Prometheus' remote-write at /api/v1/write", helpValue: 'HOST:PORT' }),
    syslog: Flags.string({ description: 'take in syslog, over TCP and UDP', helpValue: 'HOST:PORT' }),
    lines: Flags.string({ description: 'take in NDJSON over plain TCP, for a table', helpValue: 'HOST:PORT[=TABLE]' }),
    scrape: Flags.string({
      description: "read a program's page of metrics, every 15s unless said otherwise; may be given many times",
      multiple: true,
      helpValue: 'JOB=URL[@10s]',
    }),
    clickhouse: Flags.string({
      description:
        'seal events into a ClickHouse database from now on, it stays; several in turn, with commas between; `none`: into files again. A password is better in the variable',
      env: 'MUSTER_CLICKHOUSE',
      helpValue: 'http://USER:PASSWORD@HOST:PORT/DATABASE',
    }),
    'gateway-port': Flags.integer({
      description: "port of the first node's gateway; the others take the next ones",
      min: 1,
      max: 65_000,
      helpValue: 'PORT',
    }),
    join: Flags.string({
      description: 'come to the cluster of this token, of `delos member token`, with an empty state; - reads it from standard input',
      helpValue: 'TOKEN',
    }),
    voter: Flags.boolean({ description: 'with --join: count as a voter as soon as it has caught up', dependsOn: ['join'] }),
    name: Flags.string({ description: 'name of this server among the others; at first that of the machine', helpValue: 'NAME' }),
    peers: Flags.string({
      description: 'where other servers reach this one; at first 127.0.0.1 and a free port, which stays',
      helpValue: 'HOST:PORT',
    }),
    agents: Flags.string({
      description: 'where agents of other machines reach this server; at first nowhere, and it stays',
      helpValue: 'HOST:PORT',
    }),
    region: Flags.string({ description: 'where this server is; `delos leader move --prefer` goes by it', helpValue: 'NAME' }),
    profile: Flags.option({
      options: ['lan', 'wan'] as const,
      description: 'how soon the silence of a leader is believed: lan after 0.1 s, wan (without it) after 0.5 s',
    })(),
    foreground: Flags.boolean({ description: 'stay, and end the fleet with Ctrl-C' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.start(Up)
    const membership = await membershipOf(flags)
    const intake = await this.intake(flags)
    const clickhouse = await clickHouseOf(flags.clickhouse)
    const { launchServer, runningServer } = await import('../server/processes/launch.ts')
    const { sweepEphemeral } = await import('../server/processes/ephemeral.ts')
    const { assertPortFree } = await import('../server/processes/port.ts')
    if (flags['gateway-port'] !== undefined) await assertPortFree('127.0.0.1', flags['gateway-port'])
    const seen = new Set<string>()
    const onProgress = (status: FleetStatus): void => {
      for (const node of status.nodes) {
        if (node.state !== 'ready' || node.gateway === null || seen.has(node.node)) continue
        seen.add(node.node)
        if (!this.isMachine) this.note(`  node ${node.node} (${node.region}) is ready`)
      }
    }
    for (const folder of await sweepEphemeral()) this.note(`  ended what a killed demo left in ${folder}`)
    if (!this.isMachine) this.note(`starting context "${this.paths.context}" …`)
    const isOurs = runningServer(this.paths) === null
    const signal = this.interrupted()
    const status = await launchServer(this.paths, {
      fleet: await this.fleet(flags, membership),
      listen: flags.listen ?? null,
      etcd: flags.etcd ?? null,
      postgres: flags.postgres ?? null,
      intake,
      ...(clickhouse === undefined ? {} : { clickhouse }),
      agents: flags.agents ?? null,
      membership,
      readStatus: async () => (await this.client.get<FleetStatus>('/v1/status')).data,
      onProgress,
      signal,
    }).catch((error: unknown) => {
      if (!signal.aborted) throw error
      return null
    })
    if (status === null) {
      // Whoever gives up on a start does not want half a fleet.
      if (isOurs) await this.tearDown()
      this.note(`interrupted: context "${this.paths.context}" is down again, its state is kept`)
      return
    }
    await this.answer('up', status, renderFleet)
    if (!flags.foreground) return
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })))
    await this.tearDown()
  }

  /** The fleet that was asked for; null when nothing was said and the state remembers one. */
  private async fleet(
    flags: {
      nodes?: number | undefined
      regions?: number | undefined
      'gateway-port'?: number | undefined
      'node-cpu'?: string | undefined
      'node-memory'?: string | undefined
      'node-disk'?: string | undefined
      gpu?: string[] | undefined
    },
    { token, name }: Membership,
  ) {
    const { planLocalFleet, readLocalFleet } = await import('../server/processes/fleet.ts')
    const { hasJoined } = await import('../server/delos/membership/joined.ts')
    const { parseGpus } = await import('../agent/devices.ts')
    const { readIdentity } = await import('../server/state/identity.ts')
    const { parseCpu, parseSize } = await import('../core/kernel/units.ts')
    const isAsked = Object.entries(flags).some(
      ([name, value]) =>
        value !== undefined && ['nodes', 'regions', 'gateway-port', 'node-cpu', 'node-memory', 'node-disk', 'gpu'].includes(name),
    )
    if (!isAsked && readLocalFleet(this.paths)) return null
    const nodes = flags.nodes ?? 1
    const regions = flags.regions ?? 1
    if (nodes > 0 && regions > nodes) throw new MusterError('USAGE', `${regions} regions want at least as many nodes, not ${nodes}`)
    const cpuMilli = flags['node-cpu'] === undefined ? undefined : parseCpu(flags['node-cpu'])
    const memoryBytes = flags['node-memory'] === undefined ? undefined : parseSize(flags['node-memory'])
    if (cpuMilli === null) throw new MusterError('USAGE', `--node-cpu: "${flags['node-cpu']}" is not an amount of cpu such as 500m or 2`)
    if (memoryBytes === null)
      throw new MusterError('USAGE', `--node-memory: "${flags['node-memory']}" is not a size such as 512MiB or 2GiB`)
    const diskBytes = flags['node-disk'] === undefined ? undefined : parseSize(flags['node-disk'])
    if (diskBytes === null) throw new MusterError('USAGE', `--node-disk: "${flags['node-disk']}" is not a size such as 512MiB or 20GiB`)
    const gpus = flags.gpu === undefined ? undefined : parseGpus(flags.gpu)
    const known = readIdentity(this.paths)
    // Nodes of one fleet have names of their own; those of the server that began it are plain.
    const server = token === null && (known === null || !hasJoined(this.paths.root)) ? undefined : (known?.name ?? name ?? hostname())
    return planLocalFleet({ nodes, regions, gatewayPort: flags['gateway-port'] ?? null, cpuMilli, memoryBytes, diskBytes, gpus, server })
  }

  /** What the flags say, else the configuration. Throws USAGE before anything is started. */
  private async intake(flags: { [Name in IntakePort]?: string | undefined } & { scrape?: string[] | undefined }): Promise<IntakeOptions> {
    const { INTAKE_PORTS, parseIntakeAddress } = await import('../core/scuba/ports.ts')
    const { parseTarget } = await import('../core/scuba/decode/prometheus/target.ts')
    const ports: IntakeOptions['ports'] = {}
    for (const name of INTAKE_PORTS) {
      const text = flags[name] ?? this.settings[name].value
      if (text === null) continue
      const at = parseIntakeAddress(text)
      if (at === null || (at.table !== null && name !== 'lines'))
        throw new MusterError('USAGE', `--${name}: "${text}" is not ${name === 'lines' ? 'HOST:PORT or HOST:PORT=TABLE' : 'HOST:PORT'}`)
      ports[name] = text
    }
    const scrape = flags.scrape ?? this.settings.scrape.value
    for (const text of scrape) {
      const target = parseTarget(text)
      if (isRefusal(target)) throw target
    }
    return { ports, scrape }
  }

  private async tearDown(): Promise<void> {
    const { tearDown } = await import('../server/processes/teardown.ts')
    await tearDown(this.paths, (what) => this.note(`  ends ${what}`))
  }
}

/** Undefined: as before. Null: into files. Throws USAGE before anything is started. */
async function clickHouseOf(text: string | undefined): Promise<string | null | undefined> {
  // What is started from here is not to inherit the secret.
  delete process.env['MUSTER_CLICKHOUSE']
  if (text === undefined || text === 'none') return text === undefined ? undefined : null
  return (await import('../server/scuba/clickhouse/settings.ts')).parseClickHouse(text)
}

/** Throws USAGE before anything is started: a server in the background could only say it afterwards. */
async function membershipOf(flags: {
  join?: string | undefined
  voter: boolean
  name?: string | undefined
  peers?: string | undefined
  profile?: string | undefined
  region?: string | undefined
}): Promise<Membership> {
  const { join, name = null, peers = null, profile = null, region = null } = flags
  const token = join === '-' ? readFileSync(0, 'utf8').trim() : (join ?? null)
  if (token !== null || name !== null || peers !== null) {
    const { parseAddress, parseJoinToken } = await import('../core/contracts/join-token.ts')
    const { serverNameSchema } = await import('../core/delos/member/schema.ts')
    const parsed = token === null ? null : parseJoinToken(token)
    if (isRefusal(parsed)) throw parsed
    if (name !== null && !serverNameSchema.safeParse(name).success)
      throw new MusterError('USAGE', `--name: "${name}" is not letters, digits, "_", "-" and ".", at most 63`)
    if (peers !== null && parseAddress(peers) === null) throw new MusterError('USAGE', `--peers: "${peers}" is not HOST:PORT`)
  }
  if (region !== null) {
    const { regionSchema } = await import('../core/delos/member/schema.ts')
    if (!regionSchema.safeParse(region).success)
      throw new MusterError('USAGE', `--region: "${region}" is not letters, digits, "_", "-" and ".", at most 63`)
  }
  return { token, name, isVoter: flags.voter, peers, profile, region }
}
