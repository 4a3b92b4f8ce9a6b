import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createScubaClient, type ScubaClient } from '../../../src/server/scuba/client.ts'
import { program } from '../../support/program.ts'
import { endChild } from '../../../src/platform/spawn.ts'

/** A real leaf process on a folder of its own. */
export class Leaf {
  readonly dir: string
  readonly client: ScubaClient
  #child: ChildProcess | null = null
  readonly #isOwnDir: boolean

  constructor(dir?: string) {
    this.#isOwnDir = dir === undefined
    this.dir = dir ?? mkdtempSync(join(tmpdir(), 'scuba-leaf-'))
    this.client = createScubaClient(this.socket)
  }

  get socket(): string {
    return join(this.dir, 'leaf.sock')
  }

  async start(isEngineAwaited = true, more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<void> {
    const [command, file] = program('server/scuba/leaf-main')
    this.#child = spawn(command, [file, '--dir', this.dir, '--socket', this.socket, '--log', join(this.dir, 'leaf.log'), ...more], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...env },
    })
    for (let attempt = 0; attempt < 1500; attempt += 1) {
      const health = await this.client.health().catch(() => null)
      if (health && health.pid === this.#child.pid && (health.isEngineReady || !isEngineAwaited)) return
      await sleep(20)
    }
    throw new Error('the leaf does not answer')
  }

  /** Seals what a table has unsealed. */
  async seal(table: string): Promise<void> {
    const { status, answer } = await this.post(`tables/${table}/seal`)
    if (status !== 200) throw new Error(`seal: ${status} ${JSON.stringify(answer)}`)
  }

  /** Any request to the leaf's own HTTP, `path` behind `/v1/scuba/`. */
  post(path: string, body: Buffer | string = '', headers: OutgoingHttpHeaders = {}): ReturnType<typeof postTo> {
    return postTo(this.socket, path, body, headers)
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = null
    await endChild(child, signal)
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL')
    this.client.close()
    if (this.#isOwnDir) rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Any request to the leaf's own HTTP, `path` behind `/v1/scuba/`. */
export async function postTo(
  socket: string,
  path: string,
  body: Buffer | string = '',
  headers: OutgoingHttpHeaders = {},
): Promise<{ status: number; answer: unknown; headers: IncomingHttpHeaders }> {
  const sent = request({ socketPath: socket, method: 'POST', path: `/v1/scuba/${path}`, headers })
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return { status: response.statusCode ?? 0, answer: JSON.parse(Buffer.concat(parts).toString('utf8')), headers: response.headers }
}
