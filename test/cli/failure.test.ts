import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { reportFailure } from '../../src/cli/failure.ts'
import { BugError } from '../../src/core/kernel/assert.ts'
import { MusterError } from '../../src/core/kernel/errors.ts'

let stdout: string
let stderr: string
beforeEach(() => {
  stdout = ''
  stderr = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((stdout += String(text))))
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((stderr += String(text))))
})
afterEach(() => vi.restoreAllMocks())

const report = (error: unknown, ...argv: string[]): number =>
  reportFailure(error, { argv, version: '1.2.3', schema: 'muster.x/1', flags: ['json', 'context'] })

test('a refusal goes to stderr for people and as an envelope to stdout for machines, with its exit code', () => {
  expect(report(new MusterError('PLAN_STALE', 'it moved'))).toBe(5)
  expect(stderr).toContain('it moved')
  expect(stdout).toBe('')
  expect(report(new MusterError('PLAN_STALE', 'it moved'), '--json')).toBe(5)
  expect(JSON.parse(stdout)).toMatchObject({ schema: 'muster.x/1', ok: false, error: { code: 'PLAN_STALE', exit: 5 } })
})

test('a broken promise of ours is exit 70, with version, command and how to report it', () => {
  expect(report(new BugError('a bucket is never negative'), 'tw', 'ps')).toBe(70)
  expect(stderr).toContain('A bug in muster: a bucket is never negative')
  expect(stderr).toContain('muster 1.2.3')
  expect(stderr).toContain('Please report it')
})

test('a bug leaves its trace also when a machine reads', () => {
  expect(report(new TypeError('x is not a function'), '--json')).toBe(70)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'INTERNAL', exit: 70 } })
  expect(stderr).toContain('x is not a function')
})

test('a closed pipe is no failure', () => {
  expect(report(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))).toBe(0)
  expect(stderr).toBe('')
})

test('a typo in a flag is guessed', () => {
  const parse = Object.assign(new Error('Nonexistent flag: --jsno\nSee more help with --help'), {
    oclif: { exit: 2 },
    parse: {},
    flags: ['--jsno'],
  })
  expect(report(parse)).toBe(2)
  expect(stderr).toContain('unknown flag --jsno')
  expect(stderr).toContain('Did you mean --json?')
})

test('what the parser refuses is said in a sentence, with the help of that very command', () => {
  const refuse = (message: string): string => {
    stderr = ''
    const error = Object.assign(new Error(message), { oclif: { exit: 2 }, parse: {} })
    expect(reportFailure(error, { argv: [], version: '1', schema: 'muster.x/1', command: 'tw job scale', flags: [] })).toBe(2)
    return stderr
  }
  expect(refuse('Missing 1 required arg:\ncount  how many\n\nNote: --set allows multiple values.\nSee more help with --help')).toMatch(
    /^✖ COUNT is missing \(how many\)\n {2}See `muster tw job scale --help`/,
  )
  expect(refuse('The following error occurred:\n  \u001b[2mMissing required flag release\u001b[22m\nSee more help')).toContain(
    '✖ --release is missing\n',
  )
  expect(refuse('Parsing --at \n\tExpected an integer but received: x\nSee more help')).toContain(
    '✖ --at: Expected an integer but received: x\n',
  )
})
