import { expect, test } from 'vitest'
import { planRepair, type Damage, type Gap } from '../../../../src/core/delos/log/repair.ts'

const gap = (from: number, to: number): Gap => ({ from, to, file: 'f', offset: 7 })
const damage = (more: Partial<Damage>): Damage => ({ head: 1, tail: 101, gaps: [gap(40, 49)], archived: [], stateEnd: 0, ...more })

test('what can be read is left as it is, and a broken mark costs nothing', () => {
  expect(planRepair(damage({ gaps: [] }))).toMatchObject({ how: 'nothing', lost: null })
  expect(planRepair(damage({ gaps: [gap(40, 39)] }))).toMatchObject({ how: 'rewrite', begins: 1, ends: 100, dropped: null, lost: null })
})

test('an archive that has all of it restores it, whatever the state holds', () => {
  const plan = planRepair(damage({ archived: [{ first: 1, last: 49 }] }))
  expect(plan).toMatchObject({ how: 'archive', begins: 1, ends: 100, restored: [{ from: 40, to: 49 }], dropped: null, lost: null })
  expect(planRepair(damage({ archived: [{ first: 1, last: 48 }] })).how).toBe('loss')
})

test('a state that goes to its end lets the log begin after it, and nothing is lost', () => {
  expect(planRepair(damage({ stateEnd: 49 }))).toMatchObject({
    ...{ how: 'state', begins: 50, ends: 100, dropped: { from: 1, to: 49 }, lost: null },
  })
  expect(planRepair(damage({ stateEnd: 100, gaps: [gap(3, 3), gap(90, 100)] }))).toMatchObject({ how: 'state', begins: 101, ends: 100 })
})

test('without either, all from the damage on is lost, and no more than that', () => {
  expect(planRepair(damage({}))).toMatchObject({ how: 'loss', begins: 1, ends: 39, dropped: null, lost: { from: 40, to: 100 } })
  expect(planRepair(damage({ stateEnd: 20, gaps: [gap(10, 12), gap(40, 49)] }))).toMatchObject({
    ...{ how: 'loss', begins: 13, ends: 39, dropped: { from: 1, to: 12 }, lost: { from: 40, to: 100 } },
  })
})

test('a state that ends within the damage is what is left', () => {
  expect(planRepair(damage({ stateEnd: 45 }))).toMatchObject({ how: 'loss', begins: 46, ends: 45, lost: { from: 46, to: 100 } })
})
