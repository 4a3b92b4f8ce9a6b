import { parseArgs } from 'node:util'

/**
 * `npm run soak -- delos-net [--minutes N; 0: each fault once] [--profile lan|wan] [--clients N] [--fault-ms N] [--only WORDS] [--json]`: three servers in network namespaces, cut off, stopped
 * and killed, one fault after the other; what clients saw is checked.
 * `npm run soak -- delos-kill [--rounds N] [--servers 1|3] [--json]`: kill -9 under load, restart, and everything acknowledged is looked for.
 * `npm run soak -- check-perf [--load s,m] [--servers 1|3]`: what etcdctl's own check says; on a quiet machine.
 * Prints progress on stderr and a JSON summary on stdout. Exit code 1 when something was wrong, 2 when it cannot run here.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '100' },
    servers: { type: 'string', default: '1' },
    load: { type: 'string', default: 's,m' },
    profile: { type: 'string', default: 'lan' },
    'fault-ms': { type: 'string', default: '1500' },
    only: { type: 'string', default: '' },
    clients: { type: 'string', default: '6' },
    json: { type: 'boolean', default: false },
  },
})
const [what] = positionals
const profile = values.profile === 'wan' ? 'wan' : 'lan'

if (what === 'delos-net') {
  const { runDelosNet } = await import('./delos-net.ts')
  const options = {
    seconds: Number(values.minutes) * 60,
    profile,
    clients: Number(values.clients),
    faultMs: Number(values['fault-ms']),
    only: values.only,
    isQuiet: values.json,
  } as const
  process.exitCode = await runDelosNet(options)
} else if (what === 'delos-kill') {
  const { runDelosKill } = await import('./delos-kill.ts')
  const options = { rounds: Number(values.rounds), servers: values.servers === '3' ? 3 : 1, profile, isQuiet: values.json } as const
  process.exitCode = await runDelosKill(options)
} else if (what === 'check-perf') {
  const { runCheckPerf } = await import('./check-perf.ts')
  process.exitCode = await runCheckPerf({ servers: values.servers === '3' ? 3 : 1, profile, loads: values.load.split(',') })
} else {
  process.stderr.write(`${what === undefined ? 'Which one?' : `No soak ${what}.`} Soaks: delos-net, delos-kill, check-perf\n`)
  process.exitCode = 2
}
