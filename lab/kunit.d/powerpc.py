# SPDX-License-Identifier: GPL-2.0
# kunit.py run --arch powerpc --qemu_config FILE: 32-bit e500mc, what FSL_PAMU is for
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='powerpc',
			   kconfig='''
CONFIG_PPC_85xx=y
CONFIG_PPC_E500MC=y
CONFIG_PHYS_64BIT=y
CONFIG_FSL_SOC_BOOKE=y
CONFIG_PPC_QEMU_E500=y
CONFIG_PCI=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y''',
			   qemu_arch='ppc',
			   kernel_path='vmlinux',
			   kernel_command_line='console=ttyS0',
			   extra_qemu_params=['-M', 'ppce500', '-cpu', 'e500mc'])
