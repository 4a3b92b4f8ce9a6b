/**
 * What nearly every command needs. The build puts this before each command, so that all of it lands in one shared chunk:
 * each further file that a start has to load costs most of a millisecond.
 */
import './command.ts'
import './failure.ts'
import './main.ts'
import './render/style.ts'
import './render/table.ts'
import './render/text.ts'
import '../core/kernel/errors.ts'
import '../core/kernel/units.ts'
