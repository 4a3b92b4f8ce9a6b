import { quoteName } from '../names.ts'
import { bucketSql } from '../merge/histogram.ts'
import { portableHashSql, registerSql } from '../merge/hyperloglog.ts'
import type { ColumnType, ColumnTypes } from '../rows/columns.ts'
import { bucketColumn } from './codes.ts'
import { isWholeType, numberSql, weightSql, type Calc } from './calc.ts'

/** A number per group that can be merged. */
export interface Part {
  /** aggregate over rows */
  sql: string
  /** the same in 64 bit, at a third of the cost: the engine refuses it where a product does not fit */
  quickSql?: string
  merge: 'add' | 'min' | 'max'
  /** a whole number of up to 128 bit; merged without loss */
  isWhole: boolean
}

/** A list per group that can be merged: bucket codes with weights, or register codes. */
export interface Sketch {
  kind: 'histogram' | 'distinct'
  /** what the rows of a group are divided by; NULL: the row has no value */
  codeSql: string
  /** the same of fewer values, for which the engine has an array instead of looking each row's up: it refuses others */
  quickSql?: string
  /** where files have the code stored: the name it has there (`codes.ts`) */
  stored?: string
  /** aggregate over the rows of a code */
  weightSql: string
  /** of `distinct`: what is sent of a code `b` with its `weightSql` `w` */
  sentSql?: string
}

/** Which parts and sketches a calculation is made of, as places in the plan's lists. */
export interface CalcParts {
  calc: Calc
  parts: number[]
  sketch: number | null
}

export interface PartList {
  parts: Part[]
  sketches: Sketch[]
  calcs: CalcParts[]
}

/** Calculations made from the count of rows. */
const COUNTING: ReadonlySet<Calc['kind']> = new Set(['count', 'ratio', 'avg'])

/** Whether groups are ranked by a part of their first calculation; else by the count of rows, the first part. */
export const isRankedByItself = (first: Calc | undefined): boolean => first !== undefined && ['sum', 'min', 'max'].includes(first.kind)

/**
 * Divides calculations into parts; equal ones are there once. The first part always counts rows: weighted when a calculation needs that or groups
 * are ranked by it, else as they are, because reading `sample_rate` can cost as much as the rest.
 * @param isGrouped by columns
 * @param isPortable with sketches that ClickHouse can make, too
 */
export function partsOf(calcs: readonly Calc[], columns: ColumnTypes, registers: number, isGrouped: boolean, isPortable = false): PartList {
  const parts: Part[] = []
  const sketches: Sketch[] = []
  const weight = weightSql(columns)
  const isWholeWeight = weight === null || isWholeType(columns['sample_rate'])
  const part = (wanted: Part): number => {
    const known = parts.findIndex(({ sql }) => sql === wanted.sql)
    return known >= 0 ? known : parts.push(wanted) - 1
  }
  const sketch = (wanted: Sketch): number => {
    const known = sketches.findIndex(({ codeSql }) => codeSql === wanted.codeSql)
    return known >= 0 ? known : sketches.push(wanted) - 1
  }
  const isWeighted =
    weight !== null && (isPortable || calcs.some(({ kind }) => COUNTING.has(kind)) || (isGrouped && !isRankedByItself(calcs[0])))
  const all = part(
    isWeighted ? { sql: `sum(${weight})`, merge: 'add', isWhole: isWholeWeight } : { sql: 'count(*)', merge: 'add', isWhole: true },
  )
  const countOf = (condition: string): number =>
    part({ sql: `${weight === null ? 'count(*)' : `sum(${weight})`} FILTER (WHERE ${condition})`, merge: 'add', isWhole: isWholeWeight })

  const planned = calcs.map((calc): CalcParts => {
    if (calc.kind === 'count') return { calc, parts: [all], sketch: null }
    if (calc.kind === 'ratio') return { calc, parts: [countOf(`(${calc.condition}\n)`), all], sketch: null }
    const type = columns[calc.column]
    const number = numberSql(calc.column, type)
    const isWhole = isWholeType(type)
    switch (calc.kind) {
      case 'sum':
      case 'avg': {
        // 128 bit: a product of two integers may not fit into 64.
        const product = (of: string): string => (weight === null ? `sum(${number})` : `sum(${of} * ${weight})`)
        const canOverflow = isWhole && weight !== null
        const sum = part({
          sql: product(canOverflow ? `${number}::HUGEINT` : number),
          ...(canOverflow ? { quickSql: product(number) } : {}),
          merge: 'add',
          isWhole: isWhole && isWholeWeight,
        })
        if (calc.kind === 'sum') return { calc, parts: [sum], sketch: null }
        // Few rows have no value: to count those is cheaper than to count the others.
        return { calc, parts: [sum, all, countOf(`${number} IS NULL`)], sketch: null }
      }
      case 'min':
      case 'max':
        return { calc, parts: [part({ sql: `${calc.kind}(${number})`, merge: calc.kind, isWhole })], sketch: null }
      case 'percentile':
      case 'heatmap':
        return {
          calc,
          parts: [],
          sketch: sketch({ ...histogramSketch(calc.column, type), weightSql: weight === null ? 'count(*)' : `sum(${weight})` }),
        }
      case 'distinct': {
        const value = quoteName(calc.column)
        const text = `${type === 'TIMESTAMP' ? `epoch_us(${value})` : value}::VARCHAR`
        const { register, least, code } = registerSql(value, registers, isPortable ? portableHashSql(text) : undefined)
        return { calc, parts: [], sketch: sketch({ kind: 'distinct', codeSql: register, weightSql: least, sentSql: code('b', 'w') }) }
      }
      default:
        throw new Error(`${calc.kind} has no partial`)
    }
  })
  return { parts, sketches, calcs: planned }
}

export function histogramSketch(column: string, type: ColumnType | undefined): Omit<Sketch, 'weightSql'> {
  const number = numberSql(column, type)
  return {
    ...{ kind: 'histogram', codeSql: bucketSql(number), quickSql: bucketSql(number, 'USMALLINT') },
    ...(type === 'DOUBLE' ? { stored: bucketColumn(column) } : {}),
  }
}

/** Calculations that only all rows together give; a panel with one of them is answered by tier B. */
export const needsAllRows = ({ kind }: Calc): boolean => kind === 'exact' || kind === 'increase' || kind === 'rate'
