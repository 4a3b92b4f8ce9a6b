import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPage } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { encoded } from '../../../core/scuba/decode/oracle.ts'
import { Leaf } from '../leaf.ts'

const leaf = new Leaf()
const dir = mkdtempSync(join(tmpdir(), 'prometheus-'))
let prometheus: ChildProcess | null = null

async function endPrometheus(): Promise<void> {
  if (prometheus === null || prometheus.exitCode !== null) return
  const ended = once(prometheus, 'exit')
  prometheus.kill('SIGKILL')
  await ended
}

function startPrometheus(port: number, config: object, more: readonly string[] = []): void {
  const file = join(dir, `${port}.yml`)
  writeFileSync(file, JSON.stringify(config))
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${dir}/${port}`, `--web.listen-address=127.0.0.1:${port}`]
  prometheus = spawn('prometheus', [...args, ...more], { stdio: 'ignore' })
}

afterAll(async () => {
  await endPrometheus()
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
      global: { scrape_interval: '250ms' },
      scrape_configs: [{ job_name: 'self', static_configs: [{ targets: [`127.0.0.1:${own}`] }] }],
      remote_write: [
        { url: `http://127.0.0.1:${ours}/api/v1/write`, queue_config: { batch_send_deadline: '500ms', max_backoff: '500ms' } },
      ],
    }
    const more = ['--prometheus', `127.0.0.1:${ours}`]
    await leaf.start(true, more)
    startPrometheus(own, config)
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
    const fromMs = (await newest()) + 250
    await until(fromMs + 1000)
    await leaf.end('SIGKILL')
    await sleep(1000)
    await leaf.start(true, more)
    const toMs = Date.now()
    await until(toMs + 500)

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

/** The statement of docs/telemetry.md that asks for a quantile, with another table in the place of its rows. */
const QUANTILE =
  /^( {4}WITH ends AS[^]*?)\n\n/m.exec(readFileSync(join(import.meta.dirname, '../../../../docs/telemetry.md'), 'utf8'))?.[1] ?? ''

/** A page with one native histogram, of `count` values between 1 and 2 ms, and a hundredth of them at 700 ms. */
function page(count: number): Uint8Array {
  // Schema 2: bucket i ends at 2^(i/4). 1.1 ms is in -39, 1.8 ms in -36, 700 ms in -2.
  const counts = [Math.floor(count / 2), count - Math.floor(count / 2), Math.floor(count / 99)]
  const histogram = {
    ...{ sampleCount: counts.reduce((a, b) => a + b, 0), sampleSum: count * 0.0015, schema: 2, zeroThreshold: 1e-9, zeroCount: 0 },
    positiveSpan: [
      { offset: -39, length: 1 },
      { offset: 2, length: 1 },
      { offset: 33, length: 1 },
    ],
    positiveDelta: counts.map((n, i) => n - (counts[i - 1] ?? 0)),
  }
  const label = [{ name: 'method', value: 'GET' }]
  const body = encoded('MetricFamily', { name: 'rpc_seconds', help: 'h', type: 4, metric: [{ label, histogram }] })
  return Uint8Array.from([(body.length & 127) | 128, body.length >> 7, ...body])
}

test.skipIf(missing !== '')(
  `a native histogram that Prometheus scrapes is here with its quantiles${missing}`,
  async () => {
    await endPrometheus()
    let count = 1000
    const exporter = createPage((_request, response) => {
      count += 500
      response.setHeader('content-type', 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited')
      response.end(page(count))
    })
    await once(exporter.listen(0, '127.0.0.1'), 'listening')
    const [own, ours] = [await freePort(), await freePort()]
    const config = {
      global: { scrape_interval: '250ms' },
      scrape_configs: [{ job_name: 'rpc', static_configs: [{ targets: [`127.0.0.1:${(exporter.address() as AddressInfo).port}`] }] }],
      remote_write: [
        { url: `http://127.0.0.1:${ours}/api/v1/write`, send_native_histograms: true, queue_config: { batch_send_deadline: '500ms' } },
      ],
    }
    await leaf.end('SIGTERM')
    await leaf.start(true, ['--prometheus', `127.0.0.1:${ours}`])
    startPrometheus(own, config, ['--enable-feature=native-histograms'])
    try {
      const rows = 'SELECT time, kind, temporality, method, scale, value, count, buckets FROM metrics'
      const histograms = `${rows} WHERE name = 'rpc_seconds' AND buckets IS NOT NULL ORDER BY time`
      let found: unknown[][] = []
      for (let attempt = 0; found.length < 4; attempt += 1) {
        if (attempt > 300) throw new Error('no histogram comes')
        await sleep(100)
        found = (await leaf.client.query(histograms).catch(() => ({ rows: [] }))).rows
      }
      expect(found[0]?.slice(1, 5)).toEqual(['exponential_histogram', 'cumulative', 'GET', 2])
      const toMs = Number(found.at(-1)?.[0])
      const theirs = async (query: string): Promise<number> => {
        const url = `http://127.0.0.1:${own}/api/v1/query?query=${encodeURIComponent(query)}&time=${toMs / 1000}`
        const { data } = (await (await fetch(url)).json()) as { data: { result: { value: [number, string] }[] } }
        return Number(data.result[0]?.value[1])
      }
      expect(found.at(-1)?.[6]).toBe(await theirs('histogram_count(rpc_seconds)'))
      expect(found.at(-1)?.[5]).toBeCloseTo(await theirs('histogram_sum(rpc_seconds)'), 9)
      for (const q of [0.3, 0.9, 0.999]) {
        const {
          rows: [answer = []],
        } = await leaf.client.query(QUANTILE.replace('0.99', String(q)))
        const exact = await theirs(`histogram_quantile(${q}, increase(rpc_seconds[1m]))`)
        // Prometheus goes on within the bucket, whose upper end is asked for here.
        expect(exact).toBeLessThanOrEqual(Number(answer[0]))
        expect(exact).toBeGreaterThan(Number(answer[0]) / 2 ** (1 / 4))
      }
    } finally {
      exporter.close()
    }
  },
  120_000,
)
