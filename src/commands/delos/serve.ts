import { Flags, MusterCommand } from '../../cli/command.ts'

/** Flags that programs which start an etcd give too: also by etcd's environment variable. */
const variable = (name: string): string => `ETCD_${name.toUpperCase().replaceAll('-', '_')}`
const text = (name: string, description: string, otherwise: string, helpValue: string) =>
  Flags.string({ description, env: variable(name), helpValue, default: otherwise })
const maybe = (name: string, description: string, helpValue: string) => Flags.string({ description, env: variable(name), helpValue })
const whole = (name: string, description: string, otherwise: number) =>
  Flags.integer({ description, env: variable(name), default: otherwise, min: 0, helpValue: 'N' })

/** Flags of etcd that mean nothing here, or only say what is so anyway; taken so that a command line for etcd starts us too. */
const IGNORED = [
  'logger',
  'log-level',
  'log-outputs',
  'snapshot-count',
  'max-snapshots',
  'max-wals',
  'election-timeout',
  'heartbeat-interval',
] as const

/** The same, of those that are on or off. `peer-client-cert-auth`: with a certificate for other servers it is always so. */
const IGNORED_SWITCHES = ['enable-v2', 'peer-client-cert-auth', 'pre-vote', 'strict-reconfig-check'] as const

/** etcd's switches may say what they are set to, `--client-cert-auth=true`, and most command lines for etcd do. */
const plainSwitches = (argv: readonly string[]): string[] =>
  argv.flatMap((word) => {
    const [, name, value] = /^--([a-z0-9-]+)=(true|false)$/.exec(word) ?? []
    if (name !== 'client-cert-auth' && !IGNORED_SWITCHES.some((one) => one === name)) return [word]
    return value === 'true' ? [`--${name}`] : []
  })

/** Longest a server that failed tries to close what is open; it ends after twice that. */
const FENCE_MS = 2000

export default class DelosServe extends MusterCommand {
  static override summary = "Serve keys, leases, locks and elections on etcd's port, alone or as one of 3, 5 or 7 servers."
  static override description =
    "Speaks etcd's v3 API (gRPC, and JSON under /v3/) to any etcd client, and takes etcd's common flags, as words or as ETCD_… variables, so that a program that starts an etcd can start this. " +
    'What is acknowledged is on the disk, of a majority of the servers when there are several. It stays until it is told to end. Flags of etcd that mean nothing here are taken and left alone.'
  static override examples = [
    '<%= config.bin %> delos serve --data-dir ./store',
    '<%= config.bin %> delos serve --name a --data-dir ./a --listen-client-urls http://127.0.0.1:23790 --listen-peer-urls http://127.0.0.1:23800 --initial-cluster a=http://127.0.0.1:23800,b=http://127.0.0.1:23801,c=http://127.0.0.1:23802',
  ]
  static override flags = {
    name: text('name', 'name of this server', 'default', 'NAME'),
    'data-dir': maybe('data-dir', 'where everything is kept; without it NAME.etcd in this folder', 'DIR'),
    'listen-client-urls': text('listen-client-urls', 'where clients are answered', 'http://127.0.0.1:2379', 'URL,…'),
    'advertise-client-urls': maybe('advertise-client-urls', 'where clients are told to go; without it where they are answered', 'URL,…'),
    'listen-peer-urls': text('listen-peer-urls', 'where other servers are answered', 'http://127.0.0.1:2380', 'URL,…'),
    'initial-advertise-peer-urls': maybe(
      'initial-advertise-peer-urls',
      'where other servers find this one; without it where they are answered',
      'URL,…',
    ),
    'initial-cluster': maybe('initial-cluster', 'all servers of the cluster; without it this one alone', 'NAME=URL,…'),
    'initial-cluster-token': text('initial-cluster-token', 'tells clusters apart', 'etcd-cluster', 'NAME'),
    'initial-cluster-state': Flags.string({
      description:
        'existing: the cluster runs already; it knows this server by `member add`, or this one lost its disk and waits for all others',
      env: variable('initial-cluster-state'),
      options: ['new', 'existing'],
      default: 'new',
    }),
    'cert-file': maybe('cert-file', 'certificate for clients', 'FILE'),
    'key-file': maybe('key-file', 'its key', 'FILE'),
    'trusted-ca-file': maybe('trusted-ca-file', 'who signs certificates of clients', 'FILE'),
    'client-cert-auth': Flags.boolean({
      description: 'clients need a certificate; its common name is the user',
      env: 'ETCD_CLIENT_CERT_AUTH',
    }),
    'peer-cert-file': maybe('peer-cert-file', 'certificate for other servers', 'FILE'),
    'peer-key-file': maybe('peer-key-file', 'its key', 'FILE'),
    'peer-trusted-ca-file': maybe('peer-trusted-ca-file', 'who signs certificates of other servers', 'FILE'),
    'quota-backend-bytes': whole('quota-backend-bytes', 'size at which growing stops; 0: 2 GiB', 0),
    'auto-compaction-mode': text('auto-compaction-mode', 'how old revisions are thrown away', 'periodic', 'periodic|revision'),
    'auto-compaction-retention': text('auto-compaction-retention', 'hours, a duration, or so many revisions that stay; 0: all', '0', 'N'),
    'max-txn-ops': whole('max-txn-ops', 'operations in a transaction', 128),
    'max-request-bytes': whole('max-request-bytes', 'bytes of a request', 1_572_864),
    'auth-token': text('auth-token', 'kind of tokens: simple, or jwt,sign-method=RS256,pub-key=…,priv-key=…', 'simple', 'KIND'),
    region: Flags.string({ description: 'where this server is, for `delos status`', helpValue: 'NAME' }),
    profile: Flags.string({ description: 'network between the servers', options: ['lan', 'wan'], default: 'lan' }),
    ...(Object.fromEntries(IGNORED.map((name) => [name, Flags.string({ hidden: true })])) as Record<
      (typeof IGNORED)[number],
      ReturnType<typeof Flags.string>
    >),
    ...(Object.fromEntries(IGNORED_SWITCHES.map((name) => [name, Flags.boolean({ hidden: true })])) as Record<
      (typeof IGNORED_SWITCHES)[number],
      ReturnType<typeof Flags.boolean>
    >),
  }

  async run(): Promise<void> {
    this.argv = plainSwitches(this.argv)
    const { flags } = await this.start(DelosServe)
    const { serveOptions } = await import('../../server/delos/serve/options.ts')
    const { startServing } = await import('../../server/delos/serve/serve.ts')
    const options = serveOptions(flags)
    const signal = this.interrupted()
    const serving = await startServing(options)
    const { addresses } = serving
    if (this.isMachine) await this.answer(this.dottedId, { name: options.name, clients: addresses, dataDir: options.dataDir }, () => '')
    else this.note(`delos ${options.name} answers clients at ${addresses.join(', ')}; its data is in ${options.dataDir}`)
    const failure = await Promise.race([
      serving.failed,
      new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true })),
    ])
    if (failure !== null) {
      // What cannot be trusted any more must not answer, whatever still hangs on it.
      // oxlint-disable-next-line unicorn/no-process-exit -- a fence that waited for what hangs would be none
      setTimeout(() => process.exit(failure.exit), 2 * FENCE_MS).unref()
      // Closing may hang on the very disk that failed; the reason is said all the same.
      await Promise.race([serving.close().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, FENCE_MS))])
      throw failure
    }
    await serving.close()
    process.exitCode = 0
  }
}
