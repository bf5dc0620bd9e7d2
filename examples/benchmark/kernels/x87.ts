/** x87: two bodies in a plane under their mutual gravity, in extended precision: add, multiply, divide, square root. */
import { dword, eax, ecx, esp, qword, st0, st1, st2, st3, st4, tbyte } from '../../../properties/index.js';
import type { Kernel } from './image.js';

const variables = ['x', 'y', 'vx', 'vy'] as const;

export const x87: Kernel = {
  name: 'x87',
  title: 'x87 (extended precision)',
  iterations: 1_000_000,
  prepare() {},
  run(a, iterations) {
    // The relative position and speed stay in ST3..ST0 between the steps.
    for (const name of variables) a.fld(qword(name));
    a.mov(ecx, iterations);
    a.label('next');
    // ST0 vy, ST1 vx, ST2 y, ST3 x: distance squared, then the factor dt / distance^3.
    a.fld(st3);
    a.fmul(st0, st0);
    a.fld(st3);
    a.fmul(st0, st0);
    a.faddp(st1, st0);
    a.fadd(st0, st0);
    a.fmul(qword('half'));
    a.fadd(qword('softening'));
    a.fld(st0);
    a.fsqrt();
    a.fmulp(st1, st0);
    a.fdivr(qword('step'));
    // Speed: v -= r * factor.
    a.fld(st4);
    a.fmul(st0, st1);
    a.fsubp(st3, st0);
    a.fld(st3);
    a.fmul(st0, st1);
    a.fsubp(st2, st0);
    a.fstp(st0);
    // Position: r += v * dt.
    a.fld(st1);
    a.fmul(qword('step'));
    a.faddp(st4, st0);
    a.fld(st0);
    a.fmul(qword('step'));
    a.faddp(st3, st0);
    a.dec(ecx);
    a.jnz('next');
    a.xor(eax, eax);
    a.sub(esp, 16);
    for (const _ of variables) {
      a.fstp(tbyte(esp));
      for (const offsetBytes of [0, 4, 6]) {
        a.rol(eax, 7);
        a.xor(eax, dword(esp, offsetBytes));
      }
    }
    a.add(esp, 16);
  },
  data(a) {
    a.align(8, 0);
    const values: Record<string, number> = { x: 1, y: 0.25, vx: -0.125, vy: 0.875, half: 0.5, softening: 2 ** -20, step: 2 ** -9 };
    const view = new DataView(new ArrayBuffer(8));
    for (const [name, value] of Object.entries(values)) {
      view.setFloat64(0, value);
      a.label(name);
      a.dq(view.getBigUint64(0));
    }
  },
};
