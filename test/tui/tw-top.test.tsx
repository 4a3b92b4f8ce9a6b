import { render } from 'ink-testing-library'
import { expect, test, vi } from 'vitest'
import type { FleetNews } from '../../src/cli/follow/fleet.ts'
import { textWidth } from '../../src/cli/render/text.ts'
import { fleetSummaryQuery, jobRun, nodeCordon, ps } from '../../src/core/tw/operations.ts'
import type { Target } from '../../src/tui/tw-top/panes.ts'
import { TwTopScreen } from '../../src/tui/tw-top/screen.tsx'
import { newSimulatedFleet } from '../support/tw-fleet.ts'

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

const job = (name: string, count: number, cpu = '100m') => ({
  job: name,
  groups: { api: { count, main: { command: 'x', resources: { cpu, memory: '64MiB' } } } },
})

/** The screen over a fleet in memory. */
function open(size = { rows: 24, columns: 80 }) {
  const fleet = newSimulatedFleet({ nodes: 4, cpuMilli: 2000 })
  fleet.pass(500)
  for (let i = 1; i <= 15; i += 1) fleet.state.run(jobRun, { spec: job(`job-${String(i).padStart(2, '0')}`, 2) })
  fleet.state.run(nodeCordon, { node: 'n4' })
  fleet.pass(3000)
  fleet.state.run(jobRun, { spec: job('greedy', 5, '1500m') })
  fleet.pass(1000)
  let tell = (_news: FleetNews): void => undefined
  let filter = ''
  let isLeft = false
  const opened: Target[] = []
  const shells: string[] = []
  let write = (_line: string): void => undefined
  let logsOf: string | null = null
  const picture = (): FleetNews => ({ summary: fleet.state.ask(fleetSummaryQuery, { filter }), position: 1 })
  const app = render(
    <TwTopScreen
      source={{
        context: 'default',
        clock: () => 0,
        follow: (onNews) => {
          tell = onNews
          return () => undefined
        },
        filter: (text) => {
          filter = text
          tell(picture())
        },
        open: (target) => {
          opened.push(target)
          if (target.kind === 'task') return Promise.resolve({ kind: 'text', title: target.task, text: 'its events\nplaced on n1' })
          const selector = target.kind === 'node' ? { node: target.node } : target.kind === 'job' ? { job: target.job } : {}
          const { tasks, nowMs } = fleet.state.ask(ps, selector)
          return Promise.resolve({ kind: 'tasks', title: 'tasks', tasks, nowMs })
        },
        explain: (target) => Promise.resolve(`why ${target}\n${Array.from({ length: 40 }, (_, i) => `reason ${i}`).join('\n')}`),
        shell: (task) => {
          shells.push(task)
          return Promise.resolve(3)
        },
        logs: (target, onLine) => {
          logsOf = target
          write = onLine
          return () => (logsOf = null)
        },
      }}
      hasColor={false}
      size={size}
      onQuit={() => (isLeft = true)}
    />,
  )
  return {
    fleet,
    opened,
    shells,
    isLeft: () => isLeft,
    logsOf: () => logsOf,
    write: async (line: string) => {
      write(line)
      await settle()
    },
    frame: () => app.lastFrame() ?? '',
    refresh: async () => {
      await settle()
      tell(picture())
      await settle()
    },
    trouble: async (text: string) => {
      tell({ trouble: text })
      await settle()
    },
    /** Waits until the frame has the text: how long a key takes to be drawn is the machine's affair. */
    shows: (text: string | RegExp) =>
      vi.waitFor(() => (typeof text === 'string' ? expect(app.lastFrame()).toContain(text) : expect(app.lastFrame()).toMatch(text)), 5000),
    hasCursor: (text: string) => vi.waitFor(() => expect(/^› (.*)$/m.exec(app.lastFrame() ?? '')?.[1] ?? '').toContain(text), 5000),
    press: async (...keys: string[]) => {
      for (const key of keys) {
        app.stdin.write(key)
        await settle()
      }
    },
    end: () => app.unmount(),
  }
}

const DOWN = '\u001b[B'
const ENTER = '\r'
const ESC = '\u001b'

test.each([
  { rows: 24, columns: 80 },
  { rows: 50, columns: 200 },
  { rows: 12, columns: 80 },
])('fits $columns by $rows with totals, map, jobs, and why something is pending', async (size) => {
  const screen = open(size)
  await screen.shows('looking')
  await screen.refresh()
  const lines = screen.frame().split('\n')
  expect(lines.length).toBeLessThan(size.rows)
  for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(size.columns)
  await screen.shows('● 3 ready')
  await screen.shows(/cpu {7}[█▒·]{16} {2}\d+ % reserved/)
  await screen.shows('greedy/api: 5 tasks pending')
  await screen.shows('? help  q quit')
  screen.end()
})

test('a refresh never moves the cursor, though the order of the rows changes', async () => {
  const screen = open()
  await screen.refresh()
  await screen.hasCursor('greedy')
  await screen.press('j', DOWN)
  await screen.hasCursor('job-02')
  screen.fleet.state.run(jobRun, { spec: job('job-09', 40, '1500m') })
  screen.fleet.pass(1000)
  await screen.refresh()
  await screen.hasCursor('job-02')
  await screen.press('G')
  await screen.hasCursor('job-15')
  await screen.press('g')
  await screen.hasCursor('greedy')
  screen.end()
})

test('keys that come at once are pressed one after the other', async () => {
  const screen = open()
  await screen.refresh()
  await screen.press('jjj')
  await screen.hasCursor('job-03')
  await screen.press('kk\r')
  await vi.waitFor(() => expect(screen.opened).toEqual([{ kind: 'job', job: 'job-01' }]))
  screen.end()
})

test('s opens a shell beside a task, and of nothing else, and says how it ended', async () => {
  const screen = open()
  await screen.refresh()
  await screen.press('j', 's')
  await screen.shows('shell: of a task')
  await screen.press(ENTER)
  await screen.hasCursor('job-01/api[0]')
  await screen.press('s')
  await screen.shows('the shell beside job-01/api[0] ended with 3')
  const { tasks } = screen.fleet.state.ask(ps, { job: 'job-01' })
  expect(screen.shells).toEqual([String(tasks.find(({ task }) => task === 'job-01/api[0]')?.id)])
  screen.end()
})

test('enter goes in from a job to its tasks to a task, esc comes back to the row it left', async () => {
  const screen = open()
  await screen.refresh()
  await screen.press('j', ENTER)
  await screen.shows(/job-01\/api\[0\] +● running/)
  await screen.press('j', ENTER)
  await screen.shows('its events')
  expect(screen.opened.map(({ kind }) => kind)).toEqual(['job', 'task'])
  await screen.press(ESC)
  await screen.hasCursor('job-01/api[1]')
  await screen.press(ESC)
  await screen.hasCursor('job-01')
  screen.end()
})

test('tab goes on to racks or nodes and to hot nodes; from there enter opens the node', async () => {
  const screen = open()
  await screen.refresh()
  await screen.press('\t')
  await screen.shows(/NODE +REGION +NODES/)
  await screen.press(ENTER)
  await vi.waitFor(() => expect(screen.opened).toEqual([{ kind: 'node', node: 'n1' }]))
  await screen.press(ESC, '\t')
  await screen.shows('HOT NODE')
  await screen.press(':', ...'jobs', ENTER)
  await screen.hasCursor('greedy')
  await screen.press(':', ...'nope', ENTER)
  await screen.shows('there is no :nope')
  screen.end()
})

test('e explains and scrolls, l shows the log as it is written and ends it when left', async () => {
  const screen = open()
  await screen.refresh()
  await screen.press('e')
  await screen.shows('why greedy')
  await screen.press(...'jjj')
  await vi.waitFor(() => expect(screen.frame()).not.toContain('why greedy'))
  await screen.press(ESC, 'l')
  await vi.waitFor(() => expect(screen.logsOf()).toBe('greedy'))
  await screen.write('greedy/api[0] hello')
  await screen.shows('greedy/api[0] hello')
  await screen.press(ESC)
  await vi.waitFor(() => expect(screen.logsOf()).toBe(null))
  screen.end()
})

test('a filter is asked of the server while it is typed; esc ends it', async () => {
  const screen = open()
  await screen.refresh()
  await screen.press('/', ...'job-1')
  await screen.shows('/job-1▏')
  await screen.press(ENTER)
  await vi.waitFor(() => expect(screen.frame()).not.toContain('greedy  '))
  await screen.hasCursor('job-10')
  await screen.press('q')
  await vi.waitFor(() => expect(screen.isLeft()).toBe(true))
  await screen.press(ESC)
  await screen.shows(/greedy +✖ pending/)
  screen.end()
})

test('without a server the picture stays and says so; ? names the keys', async () => {
  const screen = open()
  await screen.refresh()
  await screen.trouble('no server answers')
  await screen.shows('no server answers')
  await screen.shows('greedy')
  await screen.press('?')
  await screen.shows('why is it not placed')
  await screen.press('?')
  await screen.shows('greedy')
  screen.end()
})
