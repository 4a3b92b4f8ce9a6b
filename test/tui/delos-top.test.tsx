import { render } from 'ink-testing-library'
import { expect, test } from 'vitest'
import { storeViewOf } from '../../src/cli/delos/store-view.ts'
import { topFrameOf, type TopNews } from '../../src/cli/delos/top.ts'
import { textWidth } from '../../src/cli/render/text.ts'
import { TopScreen } from '../../src/tui/delos-top/screen.tsx'
import { NOW, pageOf, serverOf } from '../support/store-view.ts'

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))

const frameAt = (revision: number): TopNews => ({
  frame: topFrameOf(
    storeViewOf([
      serverOf('a', { syncP99Ms: 3, revision }),
      serverOf('b', { role: 'leader', syncP99Ms: 9, page: pageOf('b', { commit: { count: 1, recent: 1, p50Ms: 1, p99Ms: 7 } }) }),
      serverOf('c', { isReachable: false, why: 'ECONNREFUSED', page: null }),
    ]),
    NOW,
    null,
  ),
})

function open() {
  let tell = (_news: TopNews): void => undefined
  let isLeft = false
  const app = render(
    <TopScreen
      source={{
        follow: (onNews) => {
          tell = onNews
          return () => undefined
        },
      }}
      hasColor={false}
      sort="name"
      size={{ rows: 24, columns: 80 }}
      onQuit={() => {
        isLeft = true
      }}
    />,
  )
  return {
    app,
    isLeft: () => isLeft,
    frame: () => app.lastFrame() ?? '',
    tell: async (news: TopNews) => {
      await settle()
      tell(news)
      await settle()
    },
    press: async (key: string) => {
      app.stdin.write(key)
      await settle()
    },
  }
}

/** Names in the order of their rows. */
const order = (frame: string): string[] => [...frame.matchAll(/^[★●✖] ([abc]) /gm)].map(([, name]) => name as string)

test('shows servers, hot prefixes and keys in 24 by 80, and what a key does stays the same when it refreshes', async () => {
  const screen = open()
  expect(screen.frame()).toContain('looking')
  await screen.tell(frameAt(90))
  const lines = screen.frame().split('\n')
  expect(lines.length).toBeLessThanOrEqual(24)
  for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(80)
  expect(order(screen.frame())).toEqual(['a', 'b', 'c'])
  expect(screen.frame()).toContain('/registry/pods/')
  expect(screen.frame()).toContain('s sort  p pause  ? help  q quit')
  await screen.press('s')
  await screen.press('s')
  expect(screen.frame()).toContain('by commit')
  expect(order(screen.frame())).toEqual(['b', 'a', 'c'])
  await screen.tell(frameAt(91))
  expect(order(screen.frame())).toEqual(['b', 'a', 'c'])
  screen.app.unmount()
})

test('p holds the picture still, and goes on', async () => {
  const screen = open()
  await screen.tell(frameAt(90))
  await screen.press('p')
  await screen.tell(frameAt(95))
  expect(screen.frame()).toContain('PAUSED')
  expect(screen.frame()).toContain('revision 90')
  await screen.press('p')
  await screen.tell(frameAt(96))
  expect(screen.frame()).toContain('revision 96')
  screen.app.unmount()
})

test('when no server answers the last picture stays, and says how old it is and why', async () => {
  const screen = open()
  await screen.tell(frameAt(90))
  await screen.tell({ trouble: 'all are gone' })
  expect(screen.frame()).toContain('revision 90')
  expect(screen.frame()).toMatch(/no server answers, the picture is of \d\d:\d\d:\d\dZ: all are gone/)
  await screen.tell(frameAt(91))
  expect(screen.frame()).not.toContain('no server answers')
  screen.app.unmount()
})

test('? explains the columns, q leaves the help first and then the screen', async () => {
  const screen = open()
  await screen.tell(frameAt(90))
  await screen.press('?')
  expect(screen.frame()).toContain('positions behind the most advanced server')
  await screen.press('q')
  expect(screen.isLeft()).toBe(false)
  await screen.press('q')
  expect(screen.isLeft()).toBe(true)
  screen.app.unmount()
})
