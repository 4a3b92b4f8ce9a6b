import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrayText, parseArray } from '../../../../src/core/scuba/pgwire/array.ts'
import { binaryValue, textOfBinary, timestampText } from '../../../../src/core/scuba/pgwire/binary.ts'
import { doubleText, floatText } from '../../../../src/core/scuba/pgwire/number-text.ts'
import { PG_TYPES } from '../../../../src/core/scuba/pgwire/types.ts'

const again = (oid: number, text: string): string | null => textOfBinary(oid, binaryValue(oid, text))

describe('values in the binary form', () => {
  it('are what they were in the text form', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.double({ noNaN: true }),
        fc.string({ unit: 'grapheme' }),
        (whole, number, text) => {
          expect(again(PG_TYPES.int8.oid, String(whole))).toBe(String(whole))
          expect(Object.is(Number(again(PG_TYPES.float8.oid, doubleText(number))), number)).toBe(true)
          expect(again(PG_TYPES.text.oid, text)).toBe(text)
        },
      ),
    )
  })

  it('keep every microsecond of a time, also before 1970', () => {
    const micros = fc.bigInt({ min: -62_000_000_000_000_000n, max: 250_000_000_000_000_000n })
    fc.assert(
      fc.property(micros, (us) => {
        const text = timestampText(us)
        expect(again(PG_TYPES.timestamptz.oid, `${text}+00`)).toBe(text)
        expect(text.slice(0, 19)).toBe(
          new Date(Number(us >= 0n ? us / 1000n : (us - 999n) / 1000n)).toISOString().slice(0, 19).replace('T', ' '),
        )
      }),
    )
  })

  it('keep every digit of a numeric', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(20), (digits, scale) => {
        const sign = digits < 0n ? '-' : ''
        const padded = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
        const text = scale === 0 ? `${sign}${padded}` : `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
        expect(again(PG_TYPES.numeric.oid, text)).toBe(/[1-9]/.test(text) ? text : text.replace('-', ''))
      }),
    )
  })

  it('keep arrays, with their NULLs, quotes and commas', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.string()), { maxLength: 6 }), (elements) => {
        const clean = elements.map((element) => element?.replaceAll('\0', '') ?? null)
        expect(parseArray(arrayText(clean))).toEqual(clean)
        expect(parseArray(again(PG_TYPES.text.arrayOid, arrayText(clean)) ?? '')).toEqual(clean)
      }),
    )
  })
})

describe('numbers', () => {
  // As `select x::float8` and `x::float4` of PostgreSQL 15 say.
  it.each([
    [1e15, '1e+15'],
    [1e14, '100000000000000'],
    [123456789012345.6, '123456789012345.6'],
    [1e-4, '0.0001'],
    [1e-5, '1e-05'],
    [-0, '-0'],
    [Infinity, 'Infinity'],
  ])('%s is written as PostgreSQL writes it', (value, text) => expect(doubleText(value)).toBe(text))

  it.each([
    [1e6, '1e+06'],
    [1e5, '100000'],
    [123456.703125, '123456.7'],
    [Math.fround(0.1), '0.1'],
  ])('%s of 32 bits too', (value, text) => expect(floatText(value)).toBe(text))
})
