/** Where the machine puts ACPI tables when no BIOS runs: the first place where the RSDP is looked for (ACPI 2.0, 5.2.4.1). */
export const BOARD_ACPI_ADDRESS = 0xe0000;
