import { expect, test } from 'vitest'
import { renderConfig } from '../../src/cli/render/config.ts'
import { renderDoctor } from '../../src/cli/render/doctor.ts'
import { renderError } from '../../src/cli/render/error.ts'
import { renderCommandHelp } from '../../src/cli/render/help.ts'
import { renderPlan } from '../../src/cli/render/plan.ts'
import { describeEntry } from '../../src/cli/render/tw-events.ts'
import { fields, table } from '../../src/cli/render/table.ts'
import { paint } from '../../src/cli/render/style.ts'
import { cellText } from '../../src/cli/render/scuba-values.ts'
import { printable, textWidth, truncate, wrap } from '../../src/cli/render/text.ts'
import { PLAIN, wantsColor } from '../../src/cli/terminal.ts'

const rows = [
  { name: 'a', note: 'short', n: 5 },
  { name: 'bb', note: 'a much longer note that does not fit', n: 1234 },
]
const columns = [
  { title: 'name', cell: (row: (typeof rows)[0]) => row.name },
  { title: 'n', cell: (row: (typeof rows)[0]) => row.n, align: 'right' as const },
  { title: 'note', cell: (row: (typeof rows)[0]) => row.note, canShrink: true },
  { title: 'more', cell: () => 'x', isWide: true },
]

test('off a terminal a table is never cut', () => {
  expect(table(PLAIN, rows, columns)).toBe(
    ['NAME     N  NOTE', 'a        5  short', 'bb    1234  a much longer note that does not fit'].join('\n'),
  )
})

test('on a terminal the columns that may shrink are cut to its width', () => {
  const text = table({ ...PLAIN, width: 30, isTty: true }, rows, columns)
  expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(30)
  expect(text).toContain('…')
})

test('wide shows all columns', () => {
  expect(table({ ...PLAIN, isWide: true }, rows, columns).split('\n')[0]).toBe('NAME     N  NOTE                                  MORE')
})

test('fields leave out what is not there', () => {
  expect(
    fields(PLAIN, [
      ['a', 1],
      ['long', null],
      ['b', 'x\ny'],
    ]),
  ).toBe('a  1\nb  x\n   y')
})

test('widths count what a terminal shows: no colours, wide letters twice', () => {
  expect(textWidth('\u001b[31mred\u001b[39m')).toBe(3)
  expect(textWidth('日本')).toBe(4)
  expect(truncate('日本語', 5)).toBe('日本…')
})

test('long help breaks between words and never loses one', () => {
  expect(wrap('one two three four', 9)).toEqual(['one two', 'three', 'four'])
  expect(wrap('extraordinarily long', 5)).toEqual(['extraordinarily', 'long'])
})

test('NO_COLOR, TERM=dumb and --no-color switch colours off, FORCE_COLOR on', () => {
  expect(wantsColor(true, false, {})).toBe(true)
  expect(wantsColor(true, false, { NO_COLOR: '1' })).toBe(false)
  expect(wantsColor(true, false, { TERM: 'dumb' })).toBe(false)
  expect(wantsColor(false, false, { FORCE_COLOR: '1' })).toBe(true)
  expect(wantsColor(true, true, { FORCE_COLOR: '1' })).toBe(false)
  expect(paint(PLAIN, 'red', 'x')).toBe('x')
})

test('a plan shows entries, rows before and after, and how to do it', () => {
  const text = renderPlan(
    PLAIN,
    {
      id: 'p1',
      position: 7,
      entries: [{ type: 'tw.JobScaled', body: {} }],
      changes: [
        { table: 'tw_group', op: 'update', before: { name: 'api', count: 2 }, after: { name: 'api', count: 3 } },
        { table: 'tw_job', op: 'insert', before: null, after: { name: 'web' } },
        { table: 'tw_task', op: 'delete', before: { id: 4 }, after: null },
      ],
    },
    'muster tw job scale web 3',
  )
  expect(text).toContain('tw.JobScaled')
  expect(text).toContain('~ tw_group name=api\n    count: 2 → 3')
  expect(text).not.toContain('name: api → api')
  expect(text).toContain('+ tw_job name=web')
  expect(text).toContain('- tw_task id=4')
  expect(text).toContain('muster tw job scale web 3 --apply p1')
})

test('on a terminal a long value is cut and of long JSON the size is said; a pipe and -o wide have all of it', () => {
  const spec = JSON.stringify({ groups: Array.from({ length: 40 }, (_, i) => ({ name: `g${i}` })) })
  const row = { name: 'web', spec, note: 'n'.repeat(100) }
  const plan = { id: 'p1', position: 7, entries: [], changes: [{ table: 'tw_job', op: 'insert' as const, before: null, after: row }] }
  const planned = { ...plan, entries: [{ type: 'tw.JobSubmitted', body: {} }] }
  const screen = { ...PLAIN, width: 80, isTty: true }
  const text = renderPlan(screen, planned, 'x')
  expect(text).toContain('spec: {…} 602B')
  expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(80)
  for (const view of [PLAIN, { ...screen, isWide: true }]) expect(renderPlan(view, planned, 'x')).toContain(spec)
})

test('an update that only changes inside long JSON is shown', () => {
  const spec = (n: number): string => JSON.stringify({ groups: 'g'.repeat(100), n })
  const change = { table: 'tw_job', op: 'update' as const, before: { name: 'web', spec: spec(1) }, after: { name: 'web', spec: spec(2) } }
  const plan = { id: 'p1', position: 7, entries: [{ type: 'tw.JobSubmitted', body: {} }], changes: [change] }
  expect(renderPlan({ ...PLAIN, width: 80, isTty: true }, plan, 'x')).toContain('spec: {…}')
})

test('where a command has a picture of its plan, rows come only with -o wide', () => {
  const entries = ['tw.JobSubmitted', 'tw.TasksPlaced', 'tw.TasksPlaced'].map((type) => ({ type, body: {} }))
  const changes = [{ table: 'tw_job', op: 'insert' as const, before: null, after: { name: 'web' } }]
  const plan = { id: 'p1', position: 7, entries, changes }
  const text = renderPlan(PLAIN, plan, 'muster tw job run web.yaml', 'The job web is new.')
  expect(text).toMatch(/^The job web is new\.\n\nPlan p1, at log position 7: 3 entries, 1 row \(-o wide shows them\)\.\n/)
  expect(text).toContain('  tw.JobSubmitted\n  tw.TasksPlaced × 2\n')
  expect(text).not.toContain('tw_job')
  expect(renderPlan({ ...PLAIN, isWide: true }, plan, 'x', 'The job web is new.')).toContain('+ tw_job name=web')
})

test('a plan without entries says that nothing would change', () => {
  expect(renderPlan(PLAIN, { id: 'p', position: 1, entries: [], changes: [] }, 'x')).toBe('Nothing would change.')
})

test('an error says what, what to do, and its code', () => {
  const text = renderError(PLAIN, { code: 'PLAN_STALE', message: 'it moved', hint: 'plan again', docs: '', exit: 5 })
  expect(text).toBe('✖ it moved\n  plan again\n  PLAN_STALE: muster explain PLAN_STALE')
})

test('an entry of tw is a line in words, and one without words its values', () => {
  const line = (type: string, body: object): string =>
    describeEntry(PLAIN, { position: 7, type, at: 0, actor: 'user:anna', body }).split(/  +/)[4] ?? ''
  const arms = [
    { arm: 'primary', version: 1, count: 4 },
    { arm: 'canary', version: 2, count: 1 },
  ]
  expect(line('tw.UpdateTargetSet', { job: 'web', group: 'api', arms })).toBe('web/api: 4 of v1, 1 of v2 as canary wanted')
  const proposed = { job: 'web', group: 'api', ops: [{ task: 39, kind: 'stop', text: 'drain of n2' }] }
  expect(line('tw.OpsProposed', proposed)).toBe('web/api: stop of 39 (drain of n2)')
  expect(line('tw.OpAllowed', { job: 'web', group: 'api', ops: [3, 4] })).toBe('web/api: op 3, op 4')
  const finished = {
    job: 'web',
    group: 'api',
    ops: [
      { op: 3, isOk: true, reason: '' },
      { op: 4, isOk: false, reason: 'gone' },
    ],
  }
  expect(line('tw.OpFinished', finished)).toBe('web/api: op 3 done, op 4 failed (gone)')
  expect(line('tw.MaintenanceStepped', { maintenance: 1, node: 'n1', exitCode: null, output: '' })).toBe('maintenance=1 node=n1')
})

test('help shows examples before anything else', () => {
  const text = renderCommandHelp(
    {
      id: 'tw:ps',
      summary: 'List tasks.',
      examples: ['<%= config.bin %> tw ps web'],
      args: { job: { name: 'job', description: 'only these' } },
      flags: { all: { name: 'all', char: 'a', type: 'boolean', description: 'also ended ones' } },
    },
    PLAIN,
  )
  expect(text.split('\n\n')).toEqual([
    'List tasks.',
    'EXAMPLES\n  $ muster tw ps web',
    'USAGE\n  $ muster tw ps [JOB] [flags]',
    'ARGUMENTS\n  JOB  only these',
    'FLAGS\n  -a, --all  also ended ones',
  ])
})

test('doctor lists what is missing with its cost', () => {
  const text = renderDoctor(
    [
      { name: 'root', state: 'lesser', found: 'uid 1000', cost: 'no limits' },
      { name: 'node', state: 'ok', found: '24', cost: '' },
    ],
    PLAIN,
  )
  expect(text).toContain('1 thing missing')
  expect(text).toContain('root: no limits')
})

test('config shows origins only when asked', () => {
  const row = [{ name: 'stateDir', value: null, origin: 'default' }]
  expect(renderConfig(row, false, PLAIN)).toBe('SETTING    VALUE\nstate_dir  -')
  expect(renderConfig(row, true, PLAIN)).toContain('ORIGIN')
})

test('what other programs wrote cannot steer the terminal it is shown on', () => {
  expect(printable('\u001b]52;c;eA==\u0007\u001b[2Jred\r\n\tnext \u202eevil\u202c é 日本')).toBe('␛]52;c;eA==␇␛[2Jred next evil é 日本')
  expect(cellText('\u001b[31mred', 'VARCHAR')).toBe('␛[31mred')
})
