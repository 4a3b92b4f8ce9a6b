/** Numbers as PostgreSQL writes them: the fewest digits that give the same number again. */

export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return specialText(value)
  return shaped(value, value.toExponential())
}

/** Of a number that is one of 32 bits. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return specialText(value)
  for (let digits = 1; digits <= 9; digits += 1) {
    const text = value.toExponential(digits - 1)
    if (Math.fround(Number(text)) === value) return shaped(Number(text), text, 6)
  }
  return shaped(value, value.toExponential())
}

const specialText = (value: number): string => (Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity')

/** With an exponent from 1e15 (1e6 for 32 bits) up and below 1e-4. */
function shaped(value: number, scientific: string, largest = 15): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa = '0', exponentText = '0'] = scientific.split('e')
  const exponent = Number(exponentText)
  if (exponent >= -4 && exponent < largest) return String(value)
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}
