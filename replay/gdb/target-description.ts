/**
 * What gdb reads at the start: which registers there are (GDB manual, appendix G "Target Descriptions") and which memory
 * (appendix E.15 "Memory Map Format").
 */
import { type Feature, REGISTERS, type RegisterRow } from './registers.js';

/** Types that a feature's registers have and gdb does not know by itself. */
const TYPES: Readonly<Record<Feature, string>> = {
  'org.gnu.gdb.i386.core': flags('i386_eflags', 4, [
    ...['CF', '', 'PF', '', 'AF', '', 'ZF', 'SF', 'TF', 'IF', 'DF', 'OF', '', '', 'NT', '', 'RF', 'VM', 'AC', 'VIF', 'VIP', 'ID'],
  ]),
  'org.gnu.gdb.i386.sse': [
    '<vector id="v4f" type="ieee_single" count="4"/>',
    '<vector id="v2d" type="ieee_double" count="2"/>',
    '<vector id="v16i8" type="int8" count="16"/>',
    '<vector id="v8i16" type="int16" count="8"/>',
    '<vector id="v4i32" type="int32" count="4"/>',
    '<vector id="v2i64" type="int64" count="2"/>',
    '<union id="vec128">',
    '<field name="v4_float" type="v4f"/>',
    '<field name="v2_double" type="v2d"/>',
    '<field name="v16_int8" type="v16i8"/>',
    '<field name="v8_int16" type="v8i16"/>',
    '<field name="v4_int32" type="v4i32"/>',
    '<field name="v2_int64" type="v2i64"/>',
    '<field name="uint128" type="uint128"/>',
    '</union>',
    flags('i386_mxcsr', 4, ['IE', 'DE', 'ZE', 'OE', 'UE', 'PE', 'DAZ', 'IM', 'DM', 'ZM', 'OM', 'UM', 'PM', '', '', 'FZ']),
  ].join('\n'),
  'org.replay86.system': '',
};

function flags(id: string, bytes: number, names: readonly string[]): string {
  const fields = names.flatMap((name, bit) => (name === '' ? [] : [`<field name="${name}" start="${bit}" end="${bit}"/>`]));
  return [`<flags id="${id}" size="${bytes}">`, ...fields, '</flags>'].join('\n');
}

/**
 * gdb takes the width of instructions from the architecture, and asks for it once: when the guest changes between 16 and 32
 * bits later, `unset tdesc filename` makes gdb ask again.
 */
export function targetDescription(codeBits: 16 | 32): string {
  const features = [...new Set(REGISTERS.map(({ feature }) => feature))];
  return [
    '<?xml version="1.0"?>',
    '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
    '<target version="1.0">',
    `<architecture>${codeBits === 16 ? 'i8086' : 'i386'}</architecture>`,
    // Not that of the host: there is no operating system whose conventions gdb may assume.
    '<osabi>none</osabi>',
    ...features.map(featureText),
    '</target>',
    '',
  ].join('\n');
}

function featureText(feature: Feature): string {
  const registers = REGISTERS.flatMap((row, number) => (row.feature === feature ? [registerText(row, number)] : []));
  return [`<feature name="${feature}">`, ...(TYPES[feature] === '' ? [] : [TYPES[feature]]), ...registers, '</feature>'].join('\n');
}

function registerText({ name, bits, type, group }: RegisterRow, number: number): string {
  return `<reg name="${name}" bitsize="${bits}" type="${type}" regnum="${number}"${group === undefined ? '' : ` group="${group}"`}/>`;
}

/** Of linear addresses, behind which paging may put anything: so gdb is to try all of them. */
export const MEMORY_MAP = [
  '<?xml version="1.0"?>',
  '<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" "http://sourceware.org/gdb/gdb-memory-map.dtd">',
  '<memory-map>',
  '<memory type="ram" start="0x0" length="0x100000000"/>',
  '</memory-map>',
  '',
].join('\n');
