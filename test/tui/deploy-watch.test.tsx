import { render } from 'ink-testing-library'
import { afterEach, describe, expect, test } from 'vitest'
import { renderWatch } from '../../src/cli/render/deploy-watch.ts'
import { textWidth } from '../../src/cli/render/text.ts'
import { PLAIN } from '../../src/cli/terminal.ts'
import { watchView, type WatchView } from '../../src/core/deploy/queries.ts'
import { DeployWatchScreen, type WatchSource } from '../../src/tui/deploy-watch/screen.tsx'
import { newDriver, ship } from '../core/deploy/driver.ts'

const SIZE = { rows: 24, columns: 80 }

/** Views of a real rollout on the simulated fleet: the same seed gives the same screens. */
function viewAt(options: { seconds: number; fails?: number }): WatchView {
  const driver = newDriver()
  driver.conduct = (version) => (version === 1 ? {} : { fails: options.fails ?? 0 })
  ship(driver)
  driver.seconds(options.seconds)
  const row = driver.rollout()
  return watchView(driver.fleet.state.db, row, driver.tracker.evidence(row.id), driver.fleet.state.now())
}

function open(view: WatchView, options: { isReadOnly?: boolean } = {}) {
  const acts: string[] = []
  const source: WatchSource = {
    follow: (onView) => {
      onView(view)
      return () => undefined
    },
    act: async (action) => {
      acts.push(action.verb)
      return `● ${action.verb} done`
    },
    why: async () => 'every verdict\nwith its numbers',
  }
  let isQuit = false
  const app = render(
    <DeployWatchScreen
      source={source}
      isReadOnly={options.isReadOnly ?? false}
      hasColor={false}
      size={SIZE}
      onQuit={() => {
        isQuit = true
      }}
    />,
  )
  const settle = async (): Promise<string> => {
    await new Promise((resolve) => setTimeout(resolve, 30))
    return app.lastFrame() ?? ''
  }
  return {
    app,
    acts,
    settle,
    quit: () => isQuit,
    press: async (key: string): Promise<string> => {
      await settle()
      app.stdin.write(key)
      return settle()
    },
  }
}

const apps: { unmount: () => void }[] = []
afterEach(() => {
  for (const app of apps.splice(0)) app.unmount()
})

describe('deploy watch at 80×24 without colour', () => {
  test('shows steps, split, canary against control with its evidence, sample, breaker, judge and events', async () => {
    const { app, settle } = open(viewAt({ seconds: 9 }))
    apps.push(app)
    const frame = await settle()
    const lines = frame.split('\n')
    expect(lines.length).toBeLessThanOrEqual(SIZE.rows)
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(SIZE.columns)
    expect(frame).not.toContain('\u001b[3')
    for (const text of [
      'web-r1 → web-r2',
      'stepping 1/3, judging',
      '5 %',
      '25 %',
      '100 %',
      'split',
      '▓',
      'errors:',
      'latency p90:',
      'E ',
      'gate',
      'sample',
      'breaker',
      'judge',
      'EVENTS',
      'left',
    ]) {
      expect(frame).toContain(text)
    }
    expect(frame).toContain('p pause  P promote  a abort  r rollback  w why  ? help  q out')
  })

  test('shows a rollout that went home with the reason and the numbers of its last verdict', async () => {
    const { app, settle } = open(viewAt({ seconds: 30, fails: 0.05 }))
    apps.push(app)
    const frame = await settle()
    expect(frame).toContain('✖ rolled-back')
    expect(frame).toMatch(/\d+ of \d+ canary requests failed/)
    expect(frame).toContain('fail (errors), logged')
    expect(frame).toContain('╋')
  })

  test('a key asks first, shows the command line, and does it only on y', async () => {
    const { app, acts, press } = open(viewAt({ seconds: 9 }))
    apps.push(app)
    expect(await press('a')).toMatch(/Send web-r2 home\? y\/N {3}muster deploy abort r\d+ --yes/)
    await press('n')
    expect(acts).toEqual([])
    await press('p')
    expect(await press('y')).toContain('● pause done')
    expect(acts).toEqual(['pause'])
  })

  test('a key that is not possible now says what is', async () => {
    const { app, acts, press } = open(viewAt({ seconds: 30, fails: 0.05 }))
    apps.push(app)
    expect(await press('P')).toContain('promote is not possible while rolled-back; possible: retry')
    expect(acts).toEqual([])
  })

  test('read-only changes nothing; w, ? and q work', async () => {
    const { app, acts, press, quit } = open(viewAt({ seconds: 9 }), { isReadOnly: true })
    apps.push(app)
    expect(await press('r')).toContain('read-only')
    expect(acts).toEqual([])
    expect(await press('w')).toContain('with its numbers')
    expect(await press('?')).toContain('log scale')
    await press('\u001b')
    await press('q')
    expect(quit()).toBe(true)
  })
})

test('the plain twin says the same in lines, uncut', () => {
  const text = renderWatch(viewAt({ seconds: 9 }), PLAIN)
  for (const word of ['rollout', 'web-r1 → web-r2', 'steps', 'split', 'errors', 'latency p90', 'sample', 'breaker', 'judge', 'gate'])
    expect(text).toContain(word)
  expect(text).not.toContain('…')
})
