/**
 * The calendar of the real-time clock: the time registers of the MC146818 (data sheet ADI-856R2, "Time, Calendar, and
 * Alarm Locations", table 3) decoded, moved on by any number of seconds, and encoded again.
 *
 * The chip's calendar repeats every hundred years, each fourth of which, 00 included, is a leap year. A register the
 * guest filled with a value out of range carries over at the next update as if it had been reached by counting.
 */
const DAYS_PER_CENTURY = 36_525;
const DAYS_PER_FOUR_YEARS = 1461;
const SECONDS_PER_DAY = 86_400;
const MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Register numbers. */
const SECONDS = 0;
const SECONDS_ALARM = 1;
const MINUTES = 2;
const MINUTES_ALARM = 3;
const HOURS = 4;
const HOURS_ALARM = 5;
const DAY_OF_WEEK = 6;
const DATE = 7;
const MONTH = 8;
const YEAR = 9;
/** Not of the chip: the byte of its RAM where the AT's firmware, and the PIIX3's clock, keep the century. */
const CENTURY = 0x32;

const PM = 0x80;
/** Alarm bytes from C0h up match everything. */
const ALARM_ANY = 0xc0;

/** How the registers are written: bits DM and 24/12 of register B. */
export interface TimeFormat {
  readonly binary: boolean;
  readonly hours24: boolean;
}

export class RtcCalendar {
  constructor(private readonly registers: Uint8Array) {}

  /** Sets all time registers to a moment, in seconds since 1970 UTC. */
  setTo(epochSeconds: number, format: TimeFormat): void {
    const days = Math.floor(epochSeconds / SECONDS_PER_DAY);
    this.writeTimeOfDay(epochSeconds - days * SECONDS_PER_DAY, format);
    const { year, month, date } = civilDate(days);
    // 1970-01-01 was a Thursday, the fifth day of a week that starts with 1 on Sunday.
    this.registers[DAY_OF_WEEK] = 1 + ((((days + 4) % 7) + 7) % 7);
    this.registers[DATE] = encode(date, format);
    this.registers[MONTH] = encode(month, format);
    this.registers[YEAR] = encode(year % 100, format);
    this.registers[CENTURY] = encode(Math.floor(year / 100), format);
  }

  /** `seconds` update cycles. */
  advance(seconds: number, format: TimeFormat): void {
    const total = this.secondOfDay(format) + seconds;
    const days = Math.floor(total / SECONDS_PER_DAY);
    this.writeTimeOfDay(total - days * SECONDS_PER_DAY, format);
    if (days > 0) this.advanceDays(days, format);
  }

  /** After how many updates the alarm matches next: 1 to 86400, Infinity when no time of day matches. */
  updatesToAlarm(format: TimeFormat): number {
    const first = (this.secondOfDay(format) + 1) % SECONDS_PER_DAY;
    const startHour = Math.floor(first / 3600);
    const startMinute = Math.floor(first / 60) % 60;
    const startSecond = first % 60;
    // 25 hours: the hour of the start may have to be searched again from its beginning.
    for (let hoursOn = 0; hoursOn <= 24; hoursOn++) {
      const hour = (startHour + hoursOn) % 24;
      if (!this.alarmMatches(HOURS_ALARM, encodeHour(hour, format))) continue;
      for (let minute = hoursOn === 0 ? startMinute : 0; minute < 60; minute++) {
        if (!this.alarmMatches(MINUTES_ALARM, encode(minute, format))) continue;
        const here = hoursOn === 0 && minute === startMinute;
        for (let second = here ? startSecond : 0; second < 60; second++) {
          if (!this.alarmMatches(SECONDS_ALARM, encode(second, format))) continue;
          const updates = hoursOn * 3600 + (minute - startMinute) * 60 + (second - startSecond) + 1;
          return updates <= SECONDS_PER_DAY ? updates : Number.POSITIVE_INFINITY;
        }
      }
    }
    return Number.POSITIVE_INFINITY;
  }

  private alarmMatches(register: number, encoded: number): boolean {
    const wanted = this.registers[register]!;
    return wanted >= ALARM_ANY || wanted === encoded;
  }

  private secondOfDay(format: TimeFormat): number {
    const hour = decodeHour(this.registers[HOURS]!, format);
    return hour * 3600 + decode(this.registers[MINUTES]!, format) * 60 + decode(this.registers[SECONDS]!, format);
  }

  private writeTimeOfDay(secondOfDay: number, format: TimeFormat): void {
    this.registers[SECONDS] = encode(secondOfDay % 60, format);
    this.registers[MINUTES] = encode(Math.floor(secondOfDay / 60) % 60, format);
    this.registers[HOURS] = encodeHour(Math.floor(secondOfDay / 3600), format);
  }

  private advanceDays(days: number, format: TimeFormat): void {
    const registers = this.registers;
    const weekday = decode(registers[DAY_OF_WEEK]!, format);
    registers[DAY_OF_WEEK] = 1 + ((((weekday - 1 + days) % 7) + 7) % 7);

    const year = decode(registers[YEAR]!, format) % 100;
    const month = (decode(registers[MONTH]!, format) + 11) % 12;
    let day = year * 365 + Math.floor((year + 3) / 4) + decode(registers[DATE]!, format) - 1 + days;
    for (let index = 0; index < month; index++) day += monthLength(index, year % 4 === 0);
    const centuries = Math.floor(day / DAYS_PER_CENTURY);
    day -= centuries * DAYS_PER_CENTURY;

    const fourYears = Math.floor(day / DAYS_PER_FOUR_YEARS);
    day -= fourYears * DAYS_PER_FOUR_YEARS;
    const yearOfFour = day < 366 ? 0 : 1 + Math.floor((day - 366) / 365);
    if (yearOfFour > 0) day -= 366 + (yearOfFour - 1) * 365;
    let newMonth = 0;
    while (day >= monthLength(newMonth, yearOfFour === 0)) {
      day -= monthLength(newMonth, yearOfFour === 0);
      newMonth++;
    }
    registers[DATE] = encode(day + 1, format);
    registers[MONTH] = encode(newMonth + 1, format);
    registers[YEAR] = encode(fourYears * 4 + yearOfFour, format);
    if (centuries > 0) registers[CENTURY] = encode((decode(registers[CENTURY]!, format) + centuries) % 100, format);
  }
}

function monthLength(month: number, leap: boolean): number {
  return MONTH_LENGTHS[month]! + (month === 1 && leap ? 1 : 0);
}

function encode(value: number, format: TimeFormat): number {
  return format.binary ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decode(register: number, format: TimeFormat): number {
  return format.binary ? register : (register >> 4) * 10 + (register & 0xf);
}

function encodeHour(hour: number, format: TimeFormat): number {
  if (format.hours24) return encode(hour, format);
  return encode(hour % 12 === 0 ? 12 : hour % 12, format) | (hour >= 12 ? PM : 0);
}

function decodeHour(register: number, format: TimeFormat): number {
  if (format.hours24) return decode(register, format);
  return (decode(register & ~PM, format) % 12) + ((register & PM) !== 0 ? 12 : 0);
}

/** The Gregorian date of a day counted from 1970-01-01, by years that begin in March so that leap days come last. */
function civilDate(daysSince1970: number): { year: number; month: number; date: number } {
  const days = daysSince1970 + 719_468; // from 0000-03-01
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const date = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, date };
}
