import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packDirectory, uploadArtifact } from '../../src/cli/files/artifact.ts'
import { createClient } from '../../src/cli/client.ts'
import type { TestFleet } from './fleet.ts'

const HELLO = fileURLToPath(new URL('../../templates/services/hello', import.meta.url))

/** A copy of the hello service in the fleet's home, as a release directory. */
export function helloRelease(fleet: TestFleet, about: { version: string; failRate?: number }): string {
  const target = join(fleet.home, `dist-${about.version}`)
  cpSync(HELLO, target, { recursive: true })
  writeFileSync(join(target, 'version.json'), JSON.stringify(about))
  return target
}

/** Runs the hello service as the job `web` and waits for nothing. */
export async function runHello(fleet: TestFleet, count: number, about = { version: '1' }): Promise<void> {
  const client = createClient({ socketPath: join(fleet.root, 'muster.sock'), isTls: false, token: null }, 'user:test')
  const { digest } = await uploadArtifact(client, await packDirectory(helloRelease(fleet, about)))
  const file = join(fleet.home, 'web.yaml')
  writeFileSync(
    file,
    `job: web
groups:
  api:
    count: ${count}
    availability: { max_surge: 100%, min_healthy_time: 1s }
    network: { ports: { http: {} } }
    services: { web: { port: http } }
    restart: { attempts: 10, interval: 1m, delay: 500ms }
    reschedule: { delay: 1s }
    main:
      command: [node, server.js]
      artifact: ${digest}
      env: { PORT: "{{port.http}}" }
      resources: { cpu: 20m, memory: 48MiB, memory_max: 256MiB }
      health: { readiness: { http: /ready, port: http, interval: 1s } }
      stop: { timeout: 5s }
`,
  )
  const ran = await fleet.muster('tw', 'job', 'run', file, '--json')
  if (ran.exitCode !== 0) throw new Error(`tw job run ended with ${ran.exitCode}: ${ran.stdout}${ran.stderr}`)
}
