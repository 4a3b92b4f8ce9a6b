import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { endChild } from '../../src/platform/spawn.ts'

const PROGRAM = ['/usr/sbin/clickhouse-server', '/usr/bin/clickhouse-server'].find(existsSync)

/** Why tests with Debian's server are skipped, or null. */
export const noClickHouse = PROGRAM === undefined ? 'clickhouse-server is not installed' : null

/** A real server on a folder and free ports of its own, no service. */
export class ClickHouseServer {
  readonly dir = mkdtempSync(join(tmpdir(), 'muster-clickhouse-'))
  port = 0
  #child: ChildProcess | null = null

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get url(): string {
    return `http://muster:s%3Acret@127.0.0.1:${this.port}/events`
  }

  async start(): Promise<void> {
    if (PROGRAM === undefined) throw new Error(noClickHouse ?? '')
    if (this.port === 0) {
      this.port = await freePort()
      const tcp = await freePort()
      for (const folder of ['data', 'tmp']) mkdirSync(join(this.dir, folder), { recursive: true })
      writeFileSync(
        join(this.dir, 'config.xml'),
        `<yandex><logger><level>warning</level><console>1</console></logger><http_port>${this.port}</http_port><tcp_port>${tcp}</tcp_port>
<listen_host>127.0.0.1</listen_host><keep_alive_timeout>3</keep_alive_timeout><path>${this.dir}/data/</path><tmp_path>${this.dir}/tmp/</tmp_path>
<users_config>${this.dir}/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>67108864</mark_cache_size></yandex>`,
      )
      writeFileSync(
        join(this.dir, 'users.xml'),
        `<yandex><profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles><quotas><default/></quotas><users>
<muster><password>s:cret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></muster></users></yandex>`,
      )
    }
    this.#child = spawn(PROGRAM, [`--config-file=${join(this.dir, 'config.xml')}`], { stdio: 'ignore' })
    for (let attempt = 0; attempt < 500; attempt += 1) {
      if (await this.ask('SELECT 1', '').catch(() => null)) break
      await sleep(20)
    }
    await this.ask('CREATE DATABASE IF NOT EXISTS events', '')
  }

  /** Runs a statement as an administrator would and gives its answer as text. */
  async ask(sql: string, database = 'events'): Promise<string> {
    const query = database === '' ? '' : `?database=${database}`
    const response = await fetch(`http://127.0.0.1:${this.port}/${query}`, {
      method: 'POST',
      body: sql,
      headers: { authorization: `Basic ${Buffer.from('muster:s:cret').toString('base64')}` },
    })
    const text = (await response.text()).trim()
    if (!response.ok) throw new Error(text)
    return text
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = null
    await endChild(child, signal)
  }

  async remove(): Promise<void> {
    await this.end()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Stands between a leaf and a server and can hold what the leaf sends, at a moment the test chooses. */
export class Gate {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** told what the leaf sends; what it says true of goes no further, nor does anything after it on that connection */
  holds: (text: string) => boolean = () => false

  private constructor(target: { port: number }) {
    this.#server = createServer((near) => {
      const far = connect(target.port, '127.0.0.1')
      let isHeld = false
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket)
        socket.on('error', () => undefined)
        socket.once('close', () => (this.#sockets.delete(socket), other.destroy()))
      }
      near.on('data', (piece) => {
        isHeld ||= this.holds(decodeURIComponent(piece.toString('latin1').replaceAll(/%(?![0-9A-F]{2})/g, '%25')).replaceAll('+', ' '))
        if (!isHeld) far.write(piece)
      })
      far.pipe(near)
    })
  }

  static async to(target: { port: number }): Promise<Gate> {
    const gate = new Gate(target)
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve))
    return gate
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}
