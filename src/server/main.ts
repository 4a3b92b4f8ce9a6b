import { parseArgs } from 'node:util'
import { isRefusal, type MusterError, refuse } from '../core/kernel/errors.ts'
import { INTAKE_ARGS, intakeOf } from '../core/scuba/ports.ts'
import { statePaths } from '../platform/paths.ts'
import { takeJoinToken } from './processes/server-command.ts'
import { leaveStartError } from './processes/start-error.ts'
import { startServer } from './server.ts'

/**
 * The control-plane process: `main --state-dir DIR --context NAME [--listen HOST:PORT] [--etcd HOST:PORT] [--postgres HOST:PORT] [--name NAME] [--peers HOST:PORT] [--voter] [--profile lan|wan] [--region NAME] [--agents HOST:PORT] [--otlp|--prometheus|--syslog|--lines HOST:PORT] [--scrape JOB=URL]`;
 * a token to join with comes in $MUSTER_JOIN_TOKEN, which no list of processes shows. What stops it from starting is left in
 * `logs/start-error-PID.json` for the command that started it. SIGTERM and SIGINT end it in order; tasks and agents go on.
 */
const { values } = parseArgs({
  options: {
    'state-dir': { type: 'string' },
    context: { type: 'string' },
    listen: { type: 'string' },
    etcd: { type: 'string' },
    postgres: { type: 'string' },
    ...INTAKE_ARGS,
    name: { type: 'string' },
    peers: { type: 'string' },
    voter: { type: 'boolean' },
    profile: { type: 'string' },
    region: { type: 'string' },
    agents: { type: 'string' },
  },
})
const stateDir = values['state-dir']
if (!stateDir) throw new Error('which --state-dir?')
const token = takeJoinToken(process.env)
const paths = statePaths(values.context ?? 'default', { ...process.env, MUSTER_STATE_DIR: stateDir })

let isStarted = false

function fail(error: unknown): never {
  const known: MusterError = isRefusal(error) ? error : refuse('INTERNAL', String((error as Error).stack ?? error))
  process.stderr.write(`${known.code}: ${known.message}\n`)
  if (!isStarted) leaveStartError(paths, known)
  process.exit(known.exit)
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

try {
  const server = await startServer(paths, {
    listen: values.listen ?? null,
    etcd: values.etcd ?? null,
    postgres: values.postgres ?? null,
    intake: intakeOf(values),
    join: token,
    name: values.name ?? null,
    isVoter: values.voter === true,
    peers: values.peers ?? null,
    region: values.region ?? null,
    agents: values.agents ?? null,
    profile: values.profile === 'lan' || values.profile === 'wan' ? values.profile : null,
    onFatal: fail,
  })
  isStarted = true
  const stop = (): void => {
    setTimeout(() => process.exit(1), 10_000).unref()
    server.stop().then(() => process.exit(0), fail)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
} catch (error) {
  fail(error)
}
