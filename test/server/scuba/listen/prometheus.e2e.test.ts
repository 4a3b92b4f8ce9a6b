import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { Leaf } from '../leaf.ts'

const leaf = new Leaf()
const dir = mkdtempSync(join(tmpdir(), 'prometheus-'))
let prometheus: ChildProcess | null = null

afterAll(async () => {
  if (prometheus !== null && prometheus.exitCode === null) {
    const ended = once(prometheus, 'exit')
    prometheus.kill('SIGKILL')
    await ended
  }
  await leaf.remove()
  rmSync(dir, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Matrix {
  data: { result: { metric: Record<string, string>; values: [number, string][] }[] }
}

const missing = spawnSync('prometheus', ['--version']).status === 0 ? '' : ' (skipped: prometheus is not installed)'

test.skipIf(missing !== '')(
  `Prometheus' series and values are the same here as by its own API, over kill -9 of the leaf${missing}`,
  async () => {
    const [own, ours] = [await freePort(), await freePort()]
    const config = {
      global: { scrape_interval: '1s' },
      scrape_configs: [{ job_name: 'self', static_configs: [{ targets: [`127.0.0.1:${own}`] }] }],
      remote_write: [
        { url: `http://127.0.0.1:${ours}/api/v1/write`, queue_config: { batch_send_deadline: '500ms', max_backoff: '500ms' } },
      ],
    }
    writeFileSync(join(dir, 'prometheus.yml'), JSON.stringify(config))
    const more = ['--prometheus', `127.0.0.1:${ours}`]
    await leaf.start(true, more)
    prometheus = spawn(
      'prometheus',
      [`--config.file=${join(dir, 'prometheus.yml')}`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${own}`],
      { stdio: 'ignore' },
    )
    const newest = async (): Promise<number> => {
      const found = await leaf.client.query("SELECT max(epoch_ms(time)) FROM metrics WHERE name = 'up'").catch(() => null)
      return Number(found?.rows[0]?.[0] ?? 0)
    }
    const until = async (ms: number): Promise<void> => {
      for (let attempt = 0; (await newest()) < ms; attempt += 1) {
        if (attempt > 1000) throw new Error('no sample comes')
        await sleep(100)
      }
    }
    await until(1)
    const fromMs = (await newest()) + 1000
    await until(fromMs + 1500)
    await leaf.end('SIGKILL')
    await sleep(2000)
    await leaf.start(true, more)
    const toMs = Date.now()
    await until(toMs + 1500)

    const query = `{job="self"}[${Math.ceil((toMs - fromMs) / 1000)}s]`
    const url = `http://127.0.0.1:${own}/api/v1/query?query=${encodeURIComponent(query)}&time=${toMs / 1000}`
    const theirs = ((await (await fetch(url)).json()) as Matrix).data.result.flatMap(({ metric, values }) => {
      const { __name__: name = '', ...labels } = metric
      const about = JSON.stringify([name, ...Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))])
      return values
        .map(([seconds, value]): [number, string] => [Math.round(seconds * 1000), value])
        .filter(([ms]) => ms >= fromMs && ms < toMs)
        .map(([ms, value]) => `${about} ${ms} ${Number(value.replace('Inf', 'Infinity'))}`)
    })
    const { columns, rows } = await leaf.client.query(
      `SELECT * FROM metrics WHERE job = 'self' AND time >= make_timestamp(${fromMs * 1000}) AND time < make_timestamp(${toMs * 1000}) AND marker IS DISTINCT FROM 'stale'`,
    )
    const notLabels = new Set([
      'time',
      'ingest_time',
      'time_source',
      'time_original',
      '_rest',
      'name',
      'series',
      'service',
      'kind',
      'value',
      'marker',
    ])
    const here = rows.map((cells) => {
      const row = Object.fromEntries(columns.map(({ name }, i) => [name, cells[i]]))
      const labels = Object.entries(row)
        .filter(([name, value]) => !notLabels.has(name) && value !== null)
        .map(([name, value]) => [name.replace(/^label\./, ''), value] as [string, string])
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
      const value = row['marker'] === null ? row['value'] : Number(String(row['marker']).replace('Inf', 'Infinity'))
      return `${JSON.stringify([row['name'], ...labels])} ${row['time']} ${value}`
    })
    expect(theirs.length).toBeGreaterThan(1000)
    expect(here.toSorted()).toEqual(theirs.toSorted())
  },
  180_000,
)
