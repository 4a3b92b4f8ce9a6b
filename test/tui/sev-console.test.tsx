import { render } from 'ink-testing-library'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { renderConsole } from '../../src/cli/render/sev-console.ts'
import { PLAIN } from '../../src/cli/terminal.ts'
import { textWidth } from '../../src/cli/render/text.ts'
import { consoleQuery, incidentDeclare, incidentResolve, sevOperations } from '../../src/core/sev/operations.ts'
import { SevConsole, type ConsoleSource } from '../../src/tui/sev-console/console.tsx'
import type { CommandDef } from '../../src/core/contracts/operation.ts'
import { badRollout, deliverAll, sevState } from '../core/sev/support.ts'
import type { State } from '../core/sev/state.ts'

let state: State
let acts: string[]
let rings: number
let isDown: boolean
let poke: (entry: { type: string; position: number; body: unknown }) => void
let app: ReturnType<typeof render> | null = null

beforeEach(() => {
  state = sevState()
  acts = []
  rings = 0
  isDown = false
  poke = () => undefined
})
afterEach(() => {
  app?.unmount()
  app?.cleanup()
  app = null
  state.close()
})

const source = (): ConsoleSource => ({
  context: 'prod',
  load: async () => {
    if (isDown) throw new Error('no server')
    return state.ask(consoleQuery, {}, 'user:anna')
  },
  act: async (name, input) => {
    acts.push(name)
    const answer = state.run(sevOperations.find((operation) => operation.name === name) as CommandDef, input, 'user:anna') as {
      text?: string
    }
    return { text: answer.text ?? '' }
  },
  follow: (onEntry) => {
    poke = onEntry
    return () => undefined
  },
  clock: () => state.now,
  ring: () => void (rings += 1),
})

const settle = (ms = 60): Promise<void> => new Promise((done) => setTimeout(done, ms))
const frame = (): string => app?.lastFrame() ?? ''

async function open(isReadOnly = false): Promise<void> {
  app = render(<SevConsole source={source()} isReadOnly={isReadOnly} size={{ rows: 24, columns: 80 }} onQuit={() => acts.push('quit')} />)
  await settle(120)
}
async function press(keys: string): Promise<void> {
  app?.stdin.write(keys)
  await settle()
}
async function refresh(): Promise<void> {
  poke({ type: 'sev.Something', position: 0, body: {} })
  await settle()
}

test('the first screen says how bad it is, how long is left, what changed and what to do, in 80 by 24', async () => {
  badRollout(state)
  deliverAll(state)
  state.advance(72_000)
  await open()
  const lines = frame().split('\n')
  expect(lines.length).toBeLessThanOrEqual(24)
  for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(80)
  const text = frame()
  expect(text).toMatch(/muster sev prod ● pager ok 1m12s file✓ .*10:01Z anna: PRIMARY/)
  expect(text).toMatch(/SEV3 #\d+ v3 on web: fail \(errors\)/)
  expect(text).toMatch(/open 1m12s +ACK IN 58:48 → then primary in 58:48/)
  expect(text).toMatch(/CHANGED +-4s v3 goes to 5 % of web/)
  expect(text).toContain('DO NEXT')
  expect(text).toContain('1 roll back web')
  expect(text).toMatch(/PAGING +ben/)
  // The plain twin has the same data.
  const plain = renderConsole(state.ask(consoleQuery, {}, 'user:anna'), PLAIN, 'prod')
  for (const word of ['SEV3 #', 'v3 on web: fail', 'CHANGED', '1 roll back web', 'PAGING']) expect(plain).toContain(word)
})

test('one key acknowledges, and for 10 s one key takes it back', async () => {
  const { incident } = state.run(incidentDeclare, { title: 'feed down', service: 'web' }, 'user:zoe')
  deliverAll(state)
  await open()
  await press('a')
  expect(acts).toEqual(['sev.incident.ack'])
  expect(frame()).toContain('acked by anna')
  expect(frame()).toContain(`$ muster sev ack ${incident.number}  #${incident.number} acknowledged by anna`)
  expect(frame()).toContain('u undo 10s')
  await press('u')
  expect(acts).toEqual(['sev.incident.ack', 'sev.incident.unack'])
  expect(frame()).toMatch(/open \d/)
})

test('leaving never acknowledges, a number never acts', async () => {
  state.run(incidentDeclare, { title: 'feed down', service: 'web' }, 'user:zoe')
  await open()
  await press('1')
  expect(frame()).toContain('--plan')
  await press('y')
  await press('\u001B')
  await settle(200)
  expect(frame()).not.toContain('A number never acts')
  await press('e')
  expect(frame()).toContain('escalate #')
  await press('q')
  expect(acts).toEqual([])
  await press('q')
  expect(acts).toEqual(['quit'])
})

test('a new and worse incident rings, but neither takes the screen nor the key that is pressed next', async () => {
  const first = state.run(incidentDeclare, { title: 'small thing', service: 'web', level: 3 }, 'user:zoe').incident.number
  await open()
  const second = state.run(incidentDeclare, { title: 'everything is down', service: 'api', level: 1 }, 'user:zoe').incident.number
  await refresh()
  expect(rings).toBe(1)
  expect(frame()).toContain(`new: SEV1 #${second} everything is down`)
  expect(frame()).toMatch(new RegExp(`SEV3 #${first} small thing`))
  expect(frame()).toContain('others: 1 SEV1')
  await press('a')
  expect(state.db.get('SELECT state FROM sev_incident WHERE number = ?', first)).toEqual({ state: 'acked' })
  expect(state.db.get('SELECT state FROM sev_incident WHERE number = ?', second)).toEqual({ state: 'open' })
  await press('\t')
  expect(frame()).toMatch(new RegExp(`▲ SEV1 #${second} everything is down`))
})

test('an incident that is over leaves its place empty instead of putting another under the fingers', async () => {
  const first = state.run(incidentDeclare, { title: 'one', service: 'web', level: 2 }, 'user:zoe').incident.number
  state.run(incidentDeclare, { title: 'two', service: 'api', level: 3 }, 'user:zoe')
  await open()
  state.run(incidentResolve, { incident: first, cause: 'fixed' }, 'user:zoe')
  await refresh()
  expect(frame()).toContain(`#${first} is over`)
  await press('a')
  expect(acts).toEqual([])
})

test('a server that does not answer leaves the picture, which says since when it is old', async () => {
  state.run(incidentDeclare, { title: 'feed down', service: 'web' }, 'user:zoe')
  await open()
  isDown = true
  await refresh()
  expect(frame()).toContain('○ offline since 10:00:00Z')
  expect(frame()).toContain('feed down')
})

test('read-only shows no acting key and obeys none', async () => {
  state.run(incidentDeclare, { title: 'feed down', service: 'web' }, 'user:zoe')
  await open(true)
  expect(frame()).not.toContain('a ack')
  for (const key of ['a', 'A', 'n', 's', 'u']) await press(key)
  expect(acts).toEqual([])
})

test('a page for the terminal is confirmed by the console that shows it', async () => {
  await open()
  const { position } = state.append([
    { type: 'sev.NoteAdded', body: { incident: state.run(incidentDeclare, { title: 'x' }).incident.number, text: 'y' } },
  ])[0] ?? { position: 0 }
  poke({ type: 'sev.DeliveryIntended', position, body: { deliveries: [{ channel: 'file' }, { channel: 'terminal' }] } })
  await settle()
  expect(acts).toEqual(['sev.page.receipt'])
})
