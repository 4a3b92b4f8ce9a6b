import { expect, test } from 'vitest'
import { must } from '../../../src/core/kernel/assert.ts'
import { completeGroup, completeJob, jobSpecOf, pathText, type GroupSpec, type JobSpec } from '../../../src/core/tw/job-spec.ts'
import { jobFileSchema } from '../../../src/core/tw/schema.ts'
import { crossChecks } from '../../../src/core/tw/spec/checks.ts'
import { explainIssue } from '../../../src/core/tw/spec/issues.ts'
import { resolveJob } from '../../../src/core/tw/spec/resolve.ts'

/** The spec of a document whatever is carried out of it yet. */
function parsed(document: Record<string, unknown>): JobSpec | string[] {
  const result = jobFileSchema.safeParse(document)
  const issues = result.success ? crossChecks(result.data) : result.error.issues.flatMap((issue) => explainIssue(issue, document))
  return result.success && issues.length === 0 ? resolveJob(result.data) : issues.map((issue) => `${pathText(issue)}: ${issue.message}`)
}

const job = (group: Record<string, unknown>, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  job: 'web',
  ...more,
  groups: { api: { main: { command: 'x' }, ...group } },
})
function groupOf(group: Record<string, unknown>, more: Record<string, unknown> = {}): GroupSpec {
  const spec = parsed(job(group, more))
  if (Array.isArray(spec)) throw new Error(spec.join('\n'))
  return must(spec.groups[0], 'the group')
}
const errors = (group: Record<string, unknown>, more: Record<string, unknown> = {}): unknown => parsed(job(group, more))

test('placement keys resolve to integers and lists', () => {
  expect(
    groupOf({
      affinities: [{ 'node.meta.tier = gold': 50 }],
      spread: { rack: 'even', zone: { z1: 60, z2: '40%' }, 'meta.power': { hard: true } },
      distinct: { rack: 2 },
      pool: 'gold',
      preempts: true,
      main: { command: 'x', resources: { disk: '1GiB', gpu: { share: '46%', models: ['T4', 'V100'] } } },
    }),
  ).toMatchObject({
    affinities: [{ constraint: { attribute: 'node.meta.tier', operator: '=', values: ['gold'] }, weight: 50 }],
    spread: [
      { attribute: 'rack', targets: null, isHard: false },
      { attribute: 'zone', targets: { z1: 600_000, z2: 400_000 }, isHard: false },
      { attribute: 'meta.power', targets: null, isHard: true },
    ],
    distinct: [{ attribute: 'rack', max: 2 }],
    pool: 'gold',
    preempts: true,
    container: { diskBytes: 1024 ** 3, gpu: { count: 1, shareMilli: 460, models: ['T4', 'V100'] } },
  })
})

test('lifecycle keys resolve to integers and lists', () => {
  const group = groupOf(
    {
      network: { ports: { control: {} } },
      availability: { consent: 'http://:control/ops', consent_timeout: '1h', order: 'leader-last' },
      update: { progress_deadline: '20m', canary: 2 },
      disconnect: { lost_after: '1m', stop_after: '2m', keep: 'original' },
      reschedule: { attempts: 3, interval: '30m' },
      max_run_time: '1h',
      all_or_nothing: true,
    },
    { kind: 'batch', periodic: { cron: '0 3 * * *', zone: 'Europe/Berlin', overlap: 'queue' }, entitlement: 'shop' },
  )
  expect(group).toMatchObject({
    consent: { kind: 'http', port: 'control', path: '/ops' },
    opsTimeoutMs: 3_600_000,
    order: 'leader-last',
    progressDeadlineMs: 1_200_000,
    autoRevert: true,
    canary: { count: 2 },
    disconnect: { lostAfterMs: 60_000, stopAfterMs: 120_000, keep: 'original' },
    reschedule: { attempts: 3, intervalMs: 1_800_000 },
    maxRunTimeMs: 3_600_000,
    isAllOrNothing: true,
  })
})

test('nothing written means: no consent, no fence, no limit, tried again without end', () => {
  expect(groupOf({})).toMatchObject({
    consent: { kind: 'none' },
    disconnect: { lostAfterMs: 0, stopAfterMs: null, keep: 'best' },
    reschedule: { attempts: null },
    maxRunTimeMs: null,
    distinct: [],
    pool: null,
    container: { diskBytes: 0, gpu: null },
  })
})

test('consent is none, pull, a port of the task, a URL or a command', () => {
  const consent = (value: unknown): unknown => {
    const spec = errors({ network: { ports: { http: {} } }, availability: { consent: value } })
    return Array.isArray(spec) ? spec[0] : (spec as JobSpec).groups[0]?.consent
  }
  expect(consent('pull')).toEqual({ kind: 'pull' })
  expect(consent('https://db.example:8443/ops')).toEqual({ kind: 'http', url: 'https://db.example:8443/ops' })
  expect(consent({ command: ['./may-stop', '--json'] })).toEqual({ kind: 'command', command: ['./may-stop', '--json'] })
  expect(consent('http://:htpp/ops')).toBe('groups.api.availability.consent: the group has no port `htpp`; did you mean `http`?')
  expect(consent('ask me')).toMatch(/^groups.api.availability.consent: "ask me" is none of/)
})

test.each([
  [{ spread: { racks: 'even' } }, {}, 'groups.api.spread.racks: unknown key `racks`; did you mean `rack`?'],
  [{ spread: { zone: { z1: 70, z2: 40 } } }, {}, 'groups.api.spread.zone: the shares add up to 110 %, not to at most 100 %'],
  [{ affinities: [{ 'node.arch = amd64': 500 }] }, {}, /^groups.api.affinities.0.node.arch = amd64: /],
  [{ best_effort: true, preempts: true }, {}, 'groups.api.preempts: a best_effort group uses what is idle: it cannot preempt'],
  [{ count: -1 }, {}, 'groups.api.count: -1 is too small: at least 0'],
  [{ count: 1_000_000 }, {}, 'groups.api.count: 1000000 is too big: at most 100000'],
  [{ main: { command: [] } }, {}, /command: too few: at least 1/],
  [{ count: 3 }, { kind: 'system' }, 'groups.api.count: a system job has one task per eligible node: leave count out'],
  [{ max_run_time: '1h' }, {}, 'groups.api.max_run_time: max_run_time is for kinds batch and sysbatch; this job is of kind service'],
  [{}, { periodic: { cron: '0 3 * * *' } }, 'periodic: periodic is for kinds batch and sysbatch; this job is of kind service'],
  [{ after: { api: 'healthy' } }, {}, 'groups.api.after.api: a group cannot wait for itself'],
  [{ after: { apo: 'healthy' } }, {}, 'groups.api.after.apo: the job has no group apo; did you mean api?'],
  [{ reschedule: { unlimited: false } }, {}, 'groups.api.reschedule: say how many attempts: 3'],
  [{ main: { command: 'x', resources: { gpu: { count: 2, share: '50%' } } } }, {}, /^groups.api.main.resources.gpu: a share is of one GPU/],
])('%j %j is refused', (group, more, message) => {
  expect(errors(group, more)).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)])
})

test('groups that wait for each other in a circle are refused, with the circle', () => {
  const main = { command: 'x' }
  const groups = {
    a: { main, after: { b: 'started' } },
    b: { main, after: { c: 'healthy' } },
    c: { main, after: { a: 'started' } },
    d: { main, after: { a: 'started' } },
  }
  expect(parsed({ job: 'web', groups })).toEqual(['groups.c.after.a: a circle of waiting: a after b after c after a'])
  // Also beside what makes the rest of the file unreadable.
  const broken = { ...groups, d: { main: { command: 'x', resources: { cpu: '5 bananas' } }, cuont: 3 } }
  const told = jobSpecOf({ job: 'web', groups: broken })
  expect(told.ok ? [] : told.issues.map((issue) => `${pathText(issue)}: ${issue.message}`)).toEqual([
    'groups.d.main.resources.cpu: "5 bananas" is not an amount of cpu such as 500m or 2',
    'groups.d.cuont: unknown key `cuont`; did you mean `count`?',
    'groups.c.after.a: a circle of waiting: a after b after c after a',
  ])
})

test('all errors are told at once, those of keys that are not carried out yet among them', () => {
  const result = jobSpecOf(job({ autoscale: { min: 1 }, cuont: 3 }, { namespace: 'x' }))
  expect(result.ok ? [] : result.issues.map((issue) => issue.message).sort()).toEqual([
    '`autoscale` is not supported yet',
    '`namespace` is not supported yet',
    'unknown key `cuont`; did you mean `count`?',
  ])
})

test('a version kept before a field was there reads with its default, and its spread in today’s form', () => {
  const today = groupOf({})
  const { disconnect: _1, consent: _2, after: _3, distinct: _4, ...rest } = today
  const { diskBytes: _5, gpu: _6, ...container } = today.container
  const kept = { ...rest, spread: ['region', 'node'], container } as unknown as GroupSpec
  expect(completeGroup(kept)).toEqual(today)
  const old = { job: 'web', kind: 'service', priority: 50, labels: {}, groups: [] } as unknown as JobSpec
  expect(completeJob(old)).toMatchObject({ entitlement: null, periodic: null, parameters: null })
})
