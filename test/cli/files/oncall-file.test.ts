import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parseOncallFile } from '../../../src/cli/files/oncall-file.ts'
import { issueText } from '../../../src/cli/files/yaml-file.ts'
import { incidentNumber } from '../../../src/cli/flags/incident-number.ts'
import { timeOf } from '../../../src/cli/flags/time.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { POSTMORTEM_TEMPLATE } from '../../../src/core/sev/postmortem/template.ts'
import { checkOncall, zoneNamesOf } from '../../../src/core/sev/schedule/compile.ts'
import { schedulingZone } from '../../../src/server/zones.ts'

const starter = (name: string): string => readFileSync(fileURLToPath(new URL(`../../../templates/${name}`, import.meta.url)), 'utf8')
const problemsOf = (text: string): string[] => {
  const file = parseOncallFile(text, 'oncall.yaml')
  const now = Date.UTC(2026, 10, 2)
  const zones = new Map(zoneNamesOf(file.document).flatMap((tz) => (tz.includes('Lonon') ? [] : [[tz, schedulingZone(tz, now)] as const])))
  return checkOncall(file.document, zones, now).map((problem) => `${problem.kind} ${issueText(file.place(problem))}`)
}
const refusalOf = (text: string): MusterError => {
  try {
    parseOncallFile(text, 'oncall.yaml')
  } catch (error) {
    if (error instanceof MusterError) return error
  }
  throw new Error('it was not refused')
}

test('the starter applies as it is', () => {
  expect(problemsOf(starter('oncall.yaml'))).toEqual([])
})

test('the postmortem starter is the built-in template', () => {
  expect(starter('postmortem.md')).toBe(POSTMORTEM_TEMPLATE)
})

test('a wrong form is told with line and column, everything at once', () => {
  const text = 'version: 1\npeople:\n  anna: { contacts: [{ channel: pigeon }] }\nteams:\n  web: { primary: anna, colour: red }\n'
  expect(refusalOf(text)).toMatchObject({ code: 'SEV_SCHEDULE', exit: 2 })
  expect(
    refusalOf(text)
      .message.split('\n')
      .map((line) => line.trim().split(' ')[0]),
  ).toEqual(['oncall.yaml:3:33', 'oncall.yaml:5:25'])
  expect(refusalOf('version: 1\npeople: [\n').message).toMatch(/^oncall\.yaml:\d+:\d+ /)
})

test('unknown names, zones, cycles and people without contact are told where they stand', () => {
  const text = `version: 1
people:
  anna: { contacts: [] }
  ben: { contacts: [{ channel: terminal }] }
teams:
  a: { primary: b }
  b: { primary: a }
schedules:
  s:
    timeZone: UTC
    rotations:
      - { name: w, type: weekly, start: '2026-01-05', users: [anna, zoe] }
  t: { timeZone: Europe/Lonon, rules: [{ user: ben }] }
`
  expect(problemsOf(text)).toEqual([
    'error oncall.yaml:6:17 team a leads back to itself',
    'error oncall.yaml:7:17 team b leads back to itself',
    'gap oncall.yaml:3:9 anna is on call in s and has no contact',
    'error oncall.yaml:12:69 nobody is called zoe',
    'error oncall.yaml:13:18 there is no time zone Europe/Lonon',
  ])
})

test('numbers and times are read as people write them', () => {
  expect(incidentNumber('#12')).toBe(12)
  expect(() => incidentNumber('twelve')).toThrow('is not an incident number')
  expect(timeOf('-30m', 3_600_000)).toBe(1_800_000)
  expect(timeOf('2026-11-02T09:00Z')).toBe(Date.UTC(2026, 10, 2, 9))
  expect(() => timeOf('soon')).toThrow('is not a time')
})
