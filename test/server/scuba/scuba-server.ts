import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { request, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { z } from 'zod'
import type { Entry } from '../../../src/core/contracts/entry.ts'
import { routeOf, type Operation } from '../../../src/core/contracts/operation.ts'
import { errorFromBody, type ErrorBody } from '../../../src/core/kernel/errors.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { sevSystem } from '../../../src/core/sev/system.ts'
import { NO_INTAKE } from '../../../src/core/scuba/ports.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { statePaths } from '../../../src/platform/paths.ts'
import { textOf } from '../../../src/platform/streams.ts'
import { isAlive, readProcessId, signalProcess } from '../../../src/platform/process.ts'
import { createApi } from '../../../src/server/api/api.ts'
import { startControllers, type ControllerLoop } from '../../../src/server/controllers.ts'
import type { ServerHost } from '../../../src/server/host.ts'
import { createScubaClient } from '../../../src/server/scuba/client.ts'
import { ensureLeaf, leafPidFile } from '../../../src/server/scuba/process.ts'
import { createTelemetry } from '../../../src/server/scuba/telemetry.ts'
import { wireScuba } from '../../../src/server/scuba/wire.ts'
import type { ControlLog } from '../../../src/server/state/control-log.ts'
import { openTestLog } from '../../support/log.ts'

/** A server of scuba alone: the real log, API, controllers, wiring and leaf, as `server.ts` puts them together. */
export class ScubaServer {
  readonly root = mkdtempSync(join(tmpdir(), 'scuba-server-'))
  readonly paths = statePaths('test', { MUSTER_STATE_DIR: this.root })
  readonly client = createScubaClient(this.paths.scubaSocket)
  readonly entries: Entry[] = []
  readonly #log = createLogger(null)
  readonly #leaf = ensureLeaf(this.paths, this.#log, NO_INTAKE, 20)
  #close: () => Promise<void> = async () => undefined

  async start(): Promise<void> {
    const { paths, client } = this
    for (const dir of [join(paths.log, 'control'), paths.logs, paths.keys]) mkdirSync(dir, { recursive: true })
    const control: ControlLog = await openTestLog({
      folder: join(paths.log, 'control'),
      dbFile: paths.stateDb,
      systems: [scubaSystem, sevSystem],
    })
    const telemetry = createTelemetry(client, this.#log)
    let loop: ControllerLoop | null = null
    const host: ServerHost = {
      ...{ paths, log: this.#log, db: control.db, position: control.tail, now: control.now, onEntries: control.onEntries },
      run: () => Promise.reject(new Error('not here')),
      propose: () => Promise.reject(new Error('not here')),
      wake: (name) => loop?.wake(name),
      askAgent: () => {
        throw new Error('no agent here')
      },
      telemetry: telemetry.add,
    }
    control.onEntries((batch) => void this.entries.push(...batch))
    const wirings = [wireScuba(host, client)]
    const app = createApi(
      {
        ...{ domains: [{ systems: [scubaSystem], control }], wirings, tokens: { find: () => null }, log: this.#log },
        ...{ status: async () => ({}), link: null, onOperation: () => undefined },
      },
      'socket',
    )
    await this.#leaf.start()
    await app.listen({ path: paths.socket })
    loop = startControllers([scubaSystem], wirings, control, this.#log)
    await wirings[0]?.start?.()
    this.#close = async () => {
      await wirings[0]?.stop?.()
      await loop?.stop()
      await app.close()
      await telemetry.stop()
      await control.close()
    }
  }

  /** Asks an operation over the socket; a refusal is thrown. */
  async ask<Def extends Operation>(
    operation: Def,
    input: z.input<Def['input']>,
    headers: Record<string, string> = {},
  ): Promise<z.output<Def['output']>> {
    const body = JSON.stringify(input)
    const text = await new Promise<string>((resolve, reject) => {
      const sent = request(
        {
          ...{ socketPath: this.paths.socket, method: 'POST', path: routeOf(operation.name) },
          headers: { 'content-type': 'application/json', ...headers },
        },
        (response) => {
          let whole = ''
          response.setEncoding('utf8').on('data', (part: string) => (whole += part))
          response.once('end', () => resolve(whole))
        },
      )
      sent.once('error', reject)
      sent.end(body)
    })
    const answer = JSON.parse(text) as { ok: boolean; data: z.output<Def['output']>; error: ErrorBody }
    if (!answer.ok) throw errorFromBody(answer.error)
    return answer.data
  }

  /** Any request to the server's API. */
  async post(
    path: string,
    body: string,
    headers: OutgoingHttpHeaders,
  ): Promise<{ status: number; answer: unknown; headers: IncomingHttpHeaders }> {
    const sent = request({ socketPath: this.paths.socket, method: 'POST', path, headers })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const text = await textOf(response)
    const isJson = response.headers['content-type'] === 'application/json'
    return { status: response.statusCode ?? 0, answer: isJson ? JSON.parse(text) : text, headers: response.headers }
  }

  async seal(table: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const path = `/v1/scuba/tables/${table}/seal`
      const sent = request({ socketPath: this.paths.scubaSocket, method: 'POST', path }, (response) => {
        response.resume()
        response.once('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`seal: ${response.statusCode}`))))
      })
      sent.once('error', reject)
      sent.end()
    })
  }

  async killLeaf(): Promise<void> {
    const id = readProcessId(leafPidFile(this.paths))
    if (!id) return
    signalProcess(id, 'SIGKILL')
    while (isAlive(id)) await sleep(10)
  }

  async remove(): Promise<void> {
    await this.#close()
    await this.#leaf.detach()
    this.client.close()
    await this.killLeaf()
    rmSync(this.root, { recursive: true, force: true })
  }
}
